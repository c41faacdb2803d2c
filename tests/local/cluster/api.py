"""Reads from the API server without starting a kubectl each time: what readiness asks several times a second."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from tests.local.cluster.components.pki import ADMIN, Pki

_SECONDS = 5.0


def get(pki: Pki, path: str) -> Any:
    """The JSON document at `path`; None when there is none (404). Raises `OSError` when nobody answers."""
    context = ssl.create_default_context(cafile=pki.authority.certificate)
    admin = pki.client(ADMIN)
    context.load_cert_chain(admin.certificate, admin.key)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(pki.server + path, timeout=_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
