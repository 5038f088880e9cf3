"""Calls a provider through the official clients, watched by the Pulse SDK.

PROVIDER: the address that answers as both providers. PULSE_URL and
PULSE_API_KEY: where the SDK sends what it saw. The order of the calls is that
of the answers in clienttest.go.
"""

import os

import anthropic
import openai
from pulse_sdk import ObserveOptions, Provider, flush_buffer, init_pulse, observe, shutdown

provider = os.environ["PROVIDER"]
init_pulse({"api_key": os.environ["PULSE_API_KEY"], "api_url": os.environ["PULSE_URL"], "batch_size": 100, "flush_interval": 60_000})

chat = observe(openai.OpenAI(api_key="sk-none", base_url=provider + "/v1", max_retries=0), Provider.OPENAI).chat.completions
messages = observe(
    anthropic.Anthropic(api_key="sk-none", base_url=provider, max_retries=0),
    Provider.ANTHROPIC,
    ObserveOptions(session_id="visit-青", metadata={"tenant": "acme", "attempt": 1}),
).messages

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

# 1: plain text, with a session that is no UUID.
chat.create(
    model="gpt-4o-mini",
    messages=[{"role": "system", "content": "簡潔に。"}, {"role": "user", "content": "Capital of Japan? 🙂"}],
    temperature=0.2,
    seed=9007199254740993,
    pulse_session_id="sess-2f1c-青",
    pulse_metadata={"plan": "pro", "nested": {"a": [1, None]}},
)

# 2 and 3: a tool is asked for, which leaves the text null, and answered.
history = [{"role": "user", "content": "Weather in 大阪?"}]
tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
asked = chat.create(model="gpt-4o", messages=history, tools=tools).choices[0].message
history.append(asked.model_dump(exclude_none=True))
history.append({"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": '{"temp_c": 27}'})
chat.create(model="gpt-4o", messages=history, tools=tools)

# 4: the provider refuses.
try:
    chat.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "too fast"}])
except openai.RateLimitError:
    pass
else:
    raise SystemExit("the refusal was swallowed")

# 5: a cached prompt. 6: a tool, asked for beside text. 7: the provider is overloaded.
messages.create(
    model="claude-sonnet-4-5",
    max_tokens=64,
    system=[{"type": "text", "text": "Museum rules. " * 200, "cache_control": {"type": "ephemeral"}}],
    messages=[{"role": "user", "content": "17 × 23?"}],
)
messages.create(
    model="claude-sonnet-4-5",
    max_tokens=64,
    messages=[{"role": "user", "content": "Weather in 大阪?"}],
    tools=[{"name": "get_weather", "input_schema": WEATHER}],
    pulse_metadata={"attempt": 2},
)
try:
    messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=[{"role": "user", "content": "busy?"}])
except anthropic.APIStatusError:
    pass
else:
    raise SystemExit("the overload was swallowed")

flush_buffer()
shutdown()
