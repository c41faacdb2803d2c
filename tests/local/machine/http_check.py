"""Readiness questions over HTTP, asked of servers on this machine."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from tests.local.machine import direct
from tests.local.machine.certificates import Pair

_SECONDS = 2.0


def answers_ok(url: str, *, authority: Path | None = None, client: Pair | None = None) -> bool:
    """True when GET `url` answers 200; `client` is the certificate to show. Raises `OSError` when nobody answers."""
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=authority)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
    handlers = [] if context is None else [urllib.request.HTTPSHandler(context=context)]
    try:
        with direct.opener(*handlers).open(url, timeout=_SECONDS) as response:
            return int(response.status) == 200
    except urllib.error.HTTPError:
        return False
    except http.client.HTTPException:
        return False
