"""Whether a bot may open a link, of which platform and meeting it is, and where the web client is."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from meeting_buddy.contract.links import pasted
from meeting_buddy.contract.links.rules import (
    HOST,
    INTERNATIONALISED,
    LINKS,
    LinkRules,
    LinkShape,
    PlatformName,
    SelfHostedHost,
    is_self_hosted,
    platform_of,
)
from meeting_buddy.contract.reasons import Reason

MAX_LENGTH: Final = 2048
"""Longest link in characters."""
_MAX_LINKS: Final = 4
"""Links that hold links: one of the light client may hold one of the launcher."""
_NOTHING_INSIDE: Final = "the link of this page holds no meeting: copy the link of the invitation"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A validated link. Its representation is free of secrets."""

    platform: PlatformName
    rules: LinkRules = field(repr=False)
    """The platform's row of the link table."""
    host: str
    port: int
    link: str = field(repr=False)
    meeting_id: str | None = field(repr=False)
    """What the platform tells the meeting by: a number, a code, a thread, or the name of somebody's own room."""
    passcode: str | None = field(repr=False)
    """The passcode that the link holds, decoded; Zoom's is a code of its own and not what people type."""
    web_address: str = field(repr=False)
    """Where the web client is: the page to open first. May be a little longer than :data:`MAX_LENGTH`."""

    @property
    def origin(self) -> str:
        """``https://host[:port]``, free of secrets."""
        return _origin(self.host, self.port)


class LinkError(ValueError):
    """A link that no bot may open; ``reason`` and the message are fit for a session's status."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


_AUTHORITY = re.compile(r"https://([^/?#\\]*)(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
_WITHOUT_SCHEME = re.compile(r"([a-z0-9-]+\.)+[a-z]+([/?#].*)?", re.IGNORECASE | re.ASCII)
_HOST = re.compile(HOST)
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def parse_link(
    link: str,
    platform: PlatformName | None = None,
    self_hosted: Iterable[SelfHostedHost] = (),
    kinds: Mapping[PlatformName, LinkRules] = MappingProxyType({}),
) -> Meeting:
    """Decide whether a bot may open ``link``, and of which meeting it is.

    Args:
        link: the link as the user gave it.
        platform: ``spec.platform``; names a self-hosted kind, or confirms one of the four.
        self_hosted: hosts that the installer lists.
        kinds: the self-hosted kinds that there are tables of.

    Raises:
        LinkError: with ``LinkInvalid``, ``HostNotAllowed`` or ``PlatformNotAvailable``; the message says what to do and
            never quotes the link.
    """
    if len(link) > MAX_LENGTH:
        raise _invalid(f"the link is longer than {MAX_LENGTH} characters")
    host, port, rest = _split(link)
    if platform is not None and is_self_hosted(platform):
        rules = kinds.get(platform)
        if rules is None:
            raise LinkError(Reason.PLATFORM_NOT_AVAILABLE, f"there is no platform table of {platform}")
        port = 443 if port is None else port
        if not any(each.platform == platform and each.host == host and each.port == port for each in self_hosted):
            raise LinkError(Reason.HOST_NOT_ALLOWED, f"the link's host is not listed in selfHosted.hosts as {platform}")
    else:
        platform, port = _known_platform(host, port, platform), 443
        rules = LINKS[platform]
    return _meeting(platform, rules, host, port, link, rest)


def _origin(host: str, port: int) -> str:
    return f"https://{host}" + ("" if port == 443 else f":{port}")


def _invalid(message: str) -> LinkError:
    return LinkError(Reason.LINK_INVALID, message)


def _split(link: str) -> tuple[str, int | None, str]:
    """Host, port where one is given, and all that follows."""
    if advice := pasted.unseen(link) or pasted.before(link) or pasted.never_last(link):
        raise _invalid(advice)
    if "\\" in link:
        raise _invalid("the link contains a backslash")
    match = _AUTHORITY.fullmatch(link)
    if match is None:
        remedy = ": add it in front" if _WITHOUT_SCHEME.fullmatch(link) else ""
        raise _invalid(f"the link must start with https://{remedy}")
    authority, rest = match.groups()
    if "@" in authority:
        raise _invalid("the link must not carry a user name before its host")
    # Letters outside ASCII that have an ASCII lower case, such as the Kelvin sign, would else become plain ones.
    host, colon, port = (authority.lower() if authority.isascii() else authority).partition(":")
    if not _HOST.fullmatch(host) or INTERNATIONALISED.search(host):
        raise _invalid("the link's host must be a dotted name in plain letters, not an address")
    if colon and (not _PORT.fullmatch(port) or int(port) > 65535):
        raise _invalid("the link's port is not a number from 1 to 65535")
    return host, int(port) if port else None, rest


def _known_platform(host: str, port: int | None, named: PlatformName | None) -> PlatformName:
    """The platform of the four whose host it is."""
    if port is not None:
        raise _invalid("a link of this platform carries no port")
    found = platform_of(host)
    if found is None or named not in (None, found):
        raise LinkError(
            Reason.HOST_NOT_ALLOWED,
            f"the link's host is none of {named}'s"
            if named
            else "the link's host belongs to no supported platform; set spec.platform for a self-hosted one",
        )
    return found


def _meeting(platform: PlatformName, rules: LinkRules, host: str, port: int, link: str, rest: str) -> Meeting:
    """The meeting of ``link``, or of the link that it holds."""
    address = link
    for _ in range(_MAX_LINKS):
        shape, found = _shape_of(platform, rules, rest)
        if shape.unpack is None:
            groups = found.groupdict()
            meeting_id, passcode = _decoded(groups.get("id")), _decoded(groups.get("passcode"))
            web_address = _web_address(rules, shape, found, _origin(host, port), address)
            return Meeting(platform, rules, host, port, link, meeting_id, passcode, web_address)
        host, rest = _inside(platform, host, shape.unpack(found["packed"]))
        address = _origin(host, port) + rest
    raise _invalid(_NOTHING_INSIDE)


def _inside(platform: PlatformName, host: str, held: str | None) -> tuple[str, str]:
    """Host and all that follows of a link that another one holds."""
    if not held:
        raise _invalid(_NOTHING_INSIDE)
    if held.startswith("/"):
        return host, held
    host, port, rest = _split(held)
    _known_platform(host, port, platform)
    return host, rest


def _shape_of(platform: PlatformName, rules: LinkRules, rest: str) -> tuple[LinkShape, re.Match[str]]:
    """The shape of what follows the host, or the advice what to change."""
    for start, advice in rules.refused_shapes:
        if re.match(start, rest):
            raise _invalid(advice)
    for shape in rules.shapes:
        if found := shape.pattern.fullmatch(rest):
            if advice_on_end := _pasted_after_parameter(rules, rest):
                raise _invalid(advice_on_end)
            return shape, found
    for shape in rules.shapes:
        if advice_on_end := pasted.after(rest, shape.pattern):
            raise _invalid(advice_on_end)
    raise _invalid(f"the link is not a {platform} meeting that a guest can open, such as {rules.example}")


def _pasted_after_parameter(rules: LinkRules, rest: str) -> str | None:
    """Advice about the end of a link whose last parameter has a value of known shape."""
    if "#" in rest:
        return None
    name, _, value = re.split(r"[?&]", rest)[-1].partition("=")
    known = rules.parameter_values.get(name.lower())
    return known and pasted.after(value, re.compile(known, re.ASCII | re.IGNORECASE))


def _decoded(part: str | None) -> str | None:
    if part is None:
        return None
    text = unquote(part)
    if any(unicodedata.category(each) == "Cc" for each in text):
        raise _invalid("the link contains a control character, percent-encoded")
    return text


def _web_address(rules: LinkRules, shape: LinkShape, found: re.Match[str], origin: str, address: str) -> str:
    """Where the web client is; ``address`` itself, byte for byte, where nothing has to be rewritten."""
    given = found["query"][1:].split("&") if found["query"] else []
    kept = [each for each in given if each.partition("=")[0].lower() not in rules.dropped_parameters]
    if not shape.web and kept == given:
        return address
    query = "&".join([*kept, *shape.add_query])
    query = f"?{query}" if query else ""
    if shape.web:
        return origin + shape.web.format_map({**found.groupdict(), "query": query})
    return origin + found.string[: found.start("query")] + query + found["fragment"]
