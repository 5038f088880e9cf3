"""Which client is observed how."""

from __future__ import annotations

import enum
from typing import Any, Mapping, Optional, TypeVar, Union

from . import _google, _stainless
from ._calls import Extras
from ._log import warn_once
from ._stainless import MARK

Client = TypeVar("Client")


class Provider(str, enum.Enum):
    """Whom a client calls. Any other word will do too."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OPENROUTER = "openrouter"
    GOOGLE = "google"


def observe(
    client: Client,
    provider: Union[Provider, str],
    *,
    session_id: Optional[str] = None,
    metadata: Optional[Mapping[str, Any]] = None,
) -> Client:
    """Records the calls of a client, and gives the same client back.

    The client may be OpenAI's, Anthropic's or Google's (google-genai), sync or async, or one made alike. Its calls also take ``pulse_session_id`` and
    ``pulse_metadata`` from then on; session_id and metadata are for those that do not. Observing twice is as once. Never raises: a client that is
    not known is warned of and stays as it is.
    """
    name = provider.value if isinstance(provider, Provider) else str(provider)
    return observe_once(client, name, Extras(session_id, metadata))


def observe_once(client: Client, provider: str, defaults: Extras) -> Client:
    """As observe, with all decided."""
    try:
        if MARK in vars(client):
            return client
        if hasattr(client, "_api_client"):
            _google.observe(client, provider, defaults)
        elif callable(getattr(client, "post", None)):
            _stainless.observe(client, provider, defaults)
        else:
            raise TypeError("it is none that is known")
        setattr(client, MARK, True)
    except Exception as error:
        warn_once("observe", f"a {type(client).__name__} cannot be observed: {error}")
    return client
