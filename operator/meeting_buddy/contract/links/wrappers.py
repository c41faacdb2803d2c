"""Meeting links inside the links of mail gateways and redirecting pages."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

_SUBDOMAINS: Final = r"([a-z0-9-]+\.)*"
_WRAPPERS: Final = (
    (re.compile(rf"{_SUBDOMAINS}safelinks\.protection\.(outlook\.com|office365\.us)"), re.compile(r"(?:/.*)?"), "url"),
    (re.compile(r"statics\.teams\.cdn\.office\.net"), re.compile(r"/evergreen-assets/safelinks/.*"), "url"),
    (re.compile(r"(www\.)?google\.com"), re.compile(r"/url"), "q"),
    (re.compile(r"(www\.)?google\.com"), re.compile(r"/url"), "url"),
    (re.compile(r"meet\.google\.com"), re.compile(r"/linkredirect"), "dest"),
)
_ENCODED_LINK: Final = re.compile(r"https?%3a", re.IGNORECASE)
_DEPTH: Final = 3
"""Wrappers inside wrappers."""


def unwrap(link: str) -> str:
    """Take a meeting link out of a wrapper (SafeLinks, google.com/url, Google Meet's linkredirect).

    It makes no network request, and returns ``link`` itself where nothing is wrapped. For the command line and the HTTP
    API, before they create.
    """
    for _ in range(_DEPTH):
        link = _decoded(link)
        inside = _inside(link)
        if inside is None:
            return link
        link = _decoded(inside)
    return link


def _decoded(link: str) -> str:
    """``link``, of which the whole may be percent-encoded (``https%3A%2F%2F…``)."""
    return unquote(link) if _ENCODED_LINK.match(link) else link


def _inside(link: str) -> str | None:
    try:
        parts = urlsplit(link)
        host = parts.hostname or ""
    except ValueError:  # brackets that hold no address
        return None
    for hosts, paths, parameter in _WRAPPERS:
        if hosts.fullmatch(host) and paths.fullmatch(parts.path):
            for name, value in parse_qsl(parts.query):
                if name.lower() == parameter:
                    return value
    return None
