"""What all SDKs' journeys do, in the same order, so that their traces can be compared."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

from anthropic import Anthropic
from google import genai
from openai import BadRequestError, OpenAI

from pulse_sdk import Provider, flush, init_pulse, observe, session, tool, trace

provider = os.environ["PROVIDER_URL"]
init_pulse(service_name="journey")

openai: Any = observe(OpenAI(api_key="none", base_url=f"{provider}/v1"), Provider.OPENAI)
openrouter: Any = observe(OpenAI(api_key="none", base_url=f"{provider}/api/v1"), Provider.OPENROUTER)
anthropic: Any = observe(Anthropic(api_key="none", base_url=provider), Provider.ANTHROPIC)
google: Any = observe(genai.Client(api_key="none", http_options={"base_url": provider}), Provider.GOOGLE)


def user(text: str) -> List[Dict[str, Any]]:
    return [{"role": "user", "content": text}]


def get_weather(city: str) -> Dict[str, int]:
    return {"temperature": 21}


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

openai.chat.completions.create(
    model="gpt-4o-mini",
    messages=user("Hello"),
    pulse_session_id="s-1",
    pulse_metadata={"userId": "user-42", "feature": "chat"},
)

stream = openai.chat.completions.create(
    model="gpt-4o-mini",
    messages=user("Hello [pieces 7]"),
    stream=True,
    stream_options={"include_usage": True},
    pulse_session_id="s-1",
)
for _ in stream:
    pass

openai.responses.create(model="gpt-4o-mini", input="Hello")
openai.embeddings.create(model="text-embedding-3-small", input="Hello")

with session("s-2"), trace("agent"):
    messages = user("[tool] Weather?")
    answer = openai.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)
    message = answer.choices[0].message
    call = message.tool_calls[0]
    result = tool("get_weather", call_id=call.id)(get_weather)(**json.loads(call.function.arguments))
    messages += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result, separators=(",", ":"))},
    ]
    openai.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)

claude = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": user("Hello [reasoning]")}
anthropic.messages.create(**claude)
with anthropic.messages.stream(**claude) as events:
    events.get_final_message()

google.models.generate_content(model="gemini-2.5-flash", contents="Hello")
for _ in google.models.generate_content_stream(model="gemini-2.5-flash", contents="Hello"):
    pass

try:
    openai.chat.completions.create(model="gpt-4o-mini", messages=user("[status 400] bad"))
except BadRequestError:
    pass

openrouter.chat.completions.create(model="openai/gpt-4o-mini", messages=user("Hello"))

flush()
