"""A function as AWS Lambda calls it. Its process is frozen as soon as it has answered, so what it recorded is sent before."""

from __future__ import annotations

from openai import OpenAI

from pulse_sdk import Provider, init_pulse, observe, serverless, trace

init_pulse(service_name="serverless")
openai = observe(OpenAI(), Provider.OPENAI)


@serverless
@trace
def handler(event: dict[str, str], context: object) -> dict[str, object]:
    answer = openai.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": event["question"]}]
    )
    return {"statusCode": 200, "body": answer.choices[0].message.content}


if __name__ == "__main__":
    print(handler({"question": "Hello"}, None))
