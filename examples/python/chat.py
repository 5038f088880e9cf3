"""One question, one answer."""

import sys

from openai import OpenAI

from pulse_sdk import Provider, init_pulse, observe

init_pulse(service_name="chat")
openai = observe(OpenAI(), Provider.OPENAI)

answer = openai.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": sys.argv[1]}],
    # Also taken as keywords of the call (pulse_session_id="session-123"), of which OpenAI's types know nothing.
    extra_body={"pulse_session_id": "session-123", "pulse_metadata": {"userId": "user-42", "feature": "chat"}},
)
print(answer.choices[0].message.content)
