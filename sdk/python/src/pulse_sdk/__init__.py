"""Records the calls a program makes to model providers, and the steps around them, and sends them to Pulse.

    from openai import OpenAI
    from pulse_sdk import Provider, init_pulse, observe

    init_pulse()  # PULSE_API_KEY, PULSE_API_URL
    openai = observe(OpenAI(), Provider.OPENAI)

Nothing here makes a call fail, holds one up, or changes what the provider or the program sees.
"""

from ._observe import Provider, observe
from ._otel import instrument
from ._pulse import flush, flush_async, init_pulse, shutdown, stats
from ._serverless import serverless
from ._steps import Session, Step, Tool, propagate, session, span, tool, trace
from ._transport import Stats
from ._version import __version__

__all__ = [
    "Provider",
    "Session",
    "Stats",
    "Step",
    "Tool",
    "__version__",
    "flush",
    "flush_async",
    "init_pulse",
    "instrument",
    "observe",
    "propagate",
    "serverless",
    "session",
    "shutdown",
    "span",
    "stats",
    "tool",
    "trace",
]
