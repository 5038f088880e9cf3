"""An agent that calls a tool until it has its answer."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from openai import OpenAI

from pulse_sdk import Provider, init_pulse, observe, session, tool, trace

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

init_pulse(service_name="tools")
openai = observe(OpenAI(), Provider.OPENAI)

TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells the weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def get_weather(city: str) -> dict[str, int]:
    return {"temperature": 21}


@trace("agent")
def answer(question: str) -> str:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": question}]
    while True:
        message = openai.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS).choices[0].message
        calls = [call for call in message.tool_calls or [] if call.type == "function"]
        if not calls:
            return message.content or ""
        messages.append(
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                    for call in calls
                ],
            }
        )
        for call in calls:
            result = tool("get_weather", call_id=call.id)(get_weather)(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})


with session("tools-1"):
    print(answer(sys.argv[1]))
