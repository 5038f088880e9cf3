"""A server that streams answers: GET /?q=question."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from openai import OpenAI

from pulse_sdk import Provider, init_pulse, observe, trace

init_pulse(service_name="stream-server")
openai = observe(OpenAI(), Provider.OPENAI)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        question = parse_qs(urlsplit(self.path).query).get("q", ["Hello"])[0]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        with trace("GET /") as step:
            step.set_input(question)
            # The reader may leave in the middle: what it has got until then is recorded.
            with openai.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": question}], stream=True
            ) as stream:
                for chunk in stream:
                    for choice in chunk.choices:
                        self.wfile.write((choice.delta.content or "").encode())


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
