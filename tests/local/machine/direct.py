"""What is on this machine is reached directly, whatever proxy the environment names for the outside."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import MutableMapping

from tests.local.cluster.paths import NODE_ADDRESS, POD_CIDR, SERVICE_CIDR

_HERE = ("localhost", "127.0.0.1", "::1", NODE_ADDRESS, POD_CIDR, SERVICE_CIDR, ".test")
_VARIABLES = ("NO_PROXY", "no_proxy")
"""Some programs read only the one, some only the other."""


def spare(environment: MutableMapping[str, str] = os.environ) -> None:
    """No proxy for this machine's addresses, in what this process and those that it starts ask; the rest stays."""
    given = [each for name in _VARIABLES for each in environment.get(name, "").split(",") if each]
    spared = ["*"] if "*" in given else dict.fromkeys([*given, *_HERE])  # a star counts only alone
    for name in _VARIABLES:
        environment[name] = ",".join(spared)


def opener(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """For pods and services: `urllib` takes no ranges of addresses as exceptions from a proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
