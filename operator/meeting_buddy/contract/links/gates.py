"""What the CRD checks before the operator does: never stricter than the function, and in RE2's language."""

import re

from meeting_buddy.contract.links.rules import LINKS

_LABELS = r"([a-zA-Z0-9-]+\.)"


def _any_case(text: str) -> str:
    """``text`` in upper or lower case; unlike ``(?i)`` without Unicode's foldings, where ``ſ`` is an ``s``."""
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else re.escape(each) for each in text)


_HTTPS = f"^{_any_case('https')}://"
_END = "([/?#].*)?$"


def host_pattern() -> str:
    """Gate for links of the four platforms, as an RE2 expression: https, a host of the table, no port, no user info."""
    hosts = {pattern for rules in LINKS.values() for pattern in rules.hosts}
    names = "|".join(
        f"{_LABELS}{'*' if name in hosts else '+'}{_any_case(name)}" if f"*.{name}" in hosts else _any_case(name)
        for name in sorted({pattern.removeprefix("*.") for pattern in hosts})
    )
    return f"{_HTTPS}({names}){_END}"


def self_hosted_pattern() -> str:
    """Gate for links of self-hosted kinds, as an RE2 expression: https, a dotted host, perhaps a port."""
    return f"{_HTTPS}{_LABELS}+[a-zA-Z][a-zA-Z0-9-]*(:[1-9][0-9]{{0,4}})?{_END}"
