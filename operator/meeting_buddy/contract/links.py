"""Meeting links: one table, one function that validates, and the earlier gates that are derived from the same table.

:func:`parse_link` decides finally, in the operator and again in the bot. The CRD's rules (:func:`host_pattern`,
:func:`self_hosted_pattern`) are gates before it and never stricter. A link can carry a passcode: no message quotes it.
Shapes and hosts: the platforms' own invitations, as collected in the table's comments.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, model_validator

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.wire import ContractModel

MAX_LENGTH: Final = 2048
"""Longest link in characters."""


class Platform(StrEnum):
    """``status.platform``; the first four have hosts of their own, the rest run on hosts that the installer lists."""

    TEAMS = "Teams"
    ZOOM = "Zoom"
    GOOGLE_MEET = "GoogleMeet"
    WEBEX = "Webex"
    LIVEKIT = "LiveKit"

    @property
    def self_hosted(self) -> bool:
        """Whether the platform's hosts come from the installation instead of the table."""
        return not LINKS[self].hosts


class LinkRules(NamedTuple):
    """One row of the link table."""

    hosts: tuple[str, ...]
    """Host names; ``*.`` in front stands for one or more labels. Empty: hosts are the installer's."""
    shapes: tuple[str, ...]
    """Regular expressions for path, query and fragment together, one of which must match from the start."""
    example: str
    """A link of the most common shape, for messages."""
    refused_hosts: tuple[str, ...] = ()
    """Hosts of the platform that serve no meeting a guest can join."""
    public_parameters: frozenset[str] = frozenset()
    """Query parameters, in lower case, that only set the page up. The value of any other one is a secret."""
    public_words: frozenset[str] = frozenset()
    """Words of the platform's own, in lower case, in paths and fragments: they identify no meeting."""


LINKS: Final[dict[Platform, LinkRules]] = {
    Platform.TEAMS: LinkRules(
        (
            "teams.microsoft.com",
            "*.teams.microsoft.com",
            "teams.live.com",
            "teams.cloud.microsoft",
            "teams.microsoft.us",
            "*.teams.microsoft.us",
        ),
        (
            r"/l/meetup-join/[^/?#]+",
            r"/meet/\d{2,20}(?=[/?#]|$)",
            r"/v2/?(\?[^#]*)?#/(l/meetup-join|meet)/[^/?#]+",
            r"/(_|v2)/?#/(l/meetup-join|meet)/[^/?#]+",
            r"/dl/launcher/launcher\.html\?(.*&)?url=[^&]*(meetup-join|meet)",
            r"/light-meetings/launch\?(.*&)?coords=",
        ),
        "https://teams.microsoft.com/l/meetup-join/…",
        public_parameters=frozenset(
            {
                *("agent", "anon", "directdl", "enablemobilepage", "launchtype", "lightexperience", "locale"),
                *("meetingjoin", "mslaunch", "suppressprompt", "type", "webjoin"),
            }
        ),
        public_words=frozenset({"meetup-join", "meet", "launcher", "launcher.html", "light-meetings", "launch"}),
    ),
    Platform.ZOOM: LinkRules(
        (
            "zoom.us",
            "*.zoom.us",
            "zoom.com",
            "*.zoom.com",
            "zoomgov.com",
            "*.zoomgov.com",
            "zoom.com.cn",
            "*.zoom.com.cn",
        ),
        (
            r"/[jw]/\d{9,11}(?=[/?#]|$)",
            r"/wc/join/\d{9,11}(?=[/?#]|$)",
            r"/wc/\d{9,11}/(join|start)(?=[/?#]|$)",
            r"/my/[A-Za-z0-9._-]+",
        ),
        "https://zoom.us/j/1234567890",
        ("events.zoom.us", "ev.zoom.com"),
        public_parameters=frozenset({"from", "frompwa", "lang", "status", "zc"}),
        public_words=frozenset({"join", "start", "success"}),
    ),
    Platform.GOOGLE_MEET: LinkRules(
        ("meet.google.com",),
        (r"/(?!lookup(?=[/?#]|$)|new(?=[/?#]|$)|landing(?=[/?#]|$))[a-z0-9][a-z0-9-]{3,38}[a-z0-9](?=[/?#]|$)",),
        "https://meet.google.com/abc-defg-hij",
        public_parameters=frozenset({"authuser", "hl", "hs", "pli"}),
    ),
    Platform.WEBEX: LinkRules(
        ("*.webex.com",),
        (
            r"/(meet|join)/[^/?#]+",
            r"/[^/?#]+/(e/)?j\.php\?(.*&)?MTID=[^&#]+",
            r"/(wbxmjs|wbxmjrn)/joinservice/sites/[^/?#]+/meeting/download/[^/?#]+",
            r"/webappng/sites/[^/?#]+/meeting/(download|info)/[^/?#]+",
            r"/meet\?(.*&)?meetingId=\d+",
        ),
        "https://example.webex.com/meet/name",
        public_parameters=frozenset({"siteurl"}),  # the host's first label
        public_words=frozenset({"meet", "join", "j.php", "joinservice", "sites", "meeting", "download", "info"}),
    ),
    Platform.LIVEKIT: LinkRules(
        (),
        (r"/rooms/[^/?#]+(?=[?#]|/?$)",),
        "https://meet.example.org/rooms/name",
        public_parameters=frozenset({"codec", "hq", "region"}),
        public_words=frozenset({"rooms"}),
    ),
}


class SelfHostedHost(ContractModel):
    """A host of the administrator's own that runs a self-hosted kind of platform."""

    platform: Platform = Field(json_schema_extra={"enum": [each.value for each in Platform if each.self_hosted]})
    host: str = Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$", max_length=253)
    port: int = Field(443, ge=1, le=65535)

    @model_validator(mode="after")
    def _kind(self) -> Self:
        if not self.platform.self_hosted:
            raise ValueError(f"{self.platform} has hosts of its own; list only self-hosted kinds such as LiveKit")
        return self


@dataclass(frozen=True, slots=True)
class Meeting:
    """A validated link."""

    platform: Platform
    host: str
    port: int
    link: str

    @property
    def origin(self) -> str:
        """``https://host[:port]``, free of secrets."""
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")


class LinkError(ValueError):
    """A link that no bot may open; ``reason`` and the message are fit for a session's status."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


_AUTHORITY = re.compile(r"https://([^/?#\\]*)(.*)", re.IGNORECASE | re.DOTALL)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")


def parse_link(link: str, platform: Platform | None = None, self_hosted: Iterable[SelfHostedHost] = ()) -> Meeting:
    """Decide whether a bot may open ``link``, and of which platform it is.

    Args:
        link: the link as the user gave it.
        platform: ``spec.platform``; names a self-hosted kind, or confirms one of the four.
        self_hosted: hosts that the installer lists.

    Raises:
        LinkError: with ``LinkInvalid`` or ``HostNotAllowed``; the message says what to do and never quotes the link.
    """
    host, port, rest = _split(link)
    if platform is not None and platform.self_hosted:
        port = 443 if port is None else port
        if not any(each.platform is platform and each.host == host and each.port == port for each in self_hosted):
            raise LinkError(Reason.HOST_NOT_ALLOWED, f"the link's host is not listed in selfHosted.hosts as {platform}")
    else:
        if port is not None:
            raise LinkError(Reason.LINK_INVALID, "a link of this platform carries no port")
        port = 443
        found = _platform_of(host)
        if found is None or (platform is not None and found is not platform):
            raise LinkError(
                Reason.HOST_NOT_ALLOWED,
                f"the link's host is none of {platform}'s"
                if platform
                else "the link's host belongs to no supported platform; set spec.platform for a self-hosted one",
            )
        platform = found
    facts = LINKS[platform]
    if not any(re.match(shape, rest) for shape in facts.shapes):
        raise LinkError(
            Reason.LINK_INVALID, f"the link is not a {platform} meeting that a guest can open, such as {facts.example}"
        )
    return Meeting(platform, host, port, link)


def _split(link: str) -> tuple[str, int | None, str]:
    """Host, port where one is given, and all that follows."""
    if len(link) > MAX_LENGTH:
        raise LinkError(Reason.LINK_INVALID, f"the link is longer than {MAX_LENGTH} characters")
    if _FORBIDDEN.search(link):
        raise LinkError(Reason.LINK_INVALID, "the link contains blanks, control characters or backslashes")
    match = _AUTHORITY.fullmatch(link)
    if match is None:
        raise LinkError(Reason.LINK_INVALID, "the link must start with https://")
    authority, rest = match.groups()
    if "@" in authority:
        raise LinkError(Reason.LINK_INVALID, "the link must not carry a user name before its host")
    host, colon, port = authority.lower().partition(":")
    if not _HOST.fullmatch(host) or any(label.startswith("xn--") for label in host.split(".")):
        raise LinkError(Reason.LINK_INVALID, "the link's host must be a dotted name in plain letters, not an address")
    if colon and (not _PORT.fullmatch(port) or int(port) > 65535):
        raise LinkError(Reason.LINK_INVALID, "the link's port is not a number from 1 to 65535")
    return host, int(port) if port else None, rest


def _platform_of(host: str) -> Platform | None:
    for platform, facts in LINKS.items():
        if host not in facts.refused_hosts and any(_host_fits(host, pattern) for pattern in facts.hosts):
            return platform
    return None


def _host_fits(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[2:] if pattern.startswith("*.") else host == pattern


def host_pattern() -> str:
    """Gate for links of the four platforms, as an RE2 expression: https, a host of the table, no port, no user info."""
    hosts = sorted({pattern for facts in LINKS.values() for pattern in facts.hosts})
    names = "|".join(
        rf"([a-z0-9-]+\.)+{re.escape(name[2:])}" if name.startswith("*.") else re.escape(name) for name in hosts
    )
    return rf"^(?i:https://({names}))([/?#].*)?$".replace(r"\-", "-")


def self_hosted_pattern() -> str:
    """Gate for links of self-hosted kinds, as an RE2 expression: https, a dotted host, perhaps a port."""
    return r"^(?i:https://([a-z0-9-]+\.)+[a-z][a-z0-9-]*)(:[1-9][0-9]{0,4})?([/?#].*)?$"


_WRAPPERS: Final = (
    (re.compile(r"([a-z0-9-]+\.)*safelinks\.protection\.outlook\.com"), "/", "url"),
    (re.compile(r"www\.google\.com|google\.com"), "/url", "q"),
    (re.compile(r"www\.google\.com|google\.com"), "/url", "url"),
)


def unwrap(link: str) -> str:
    """Take a meeting link out of a mail gateway's wrapper (SafeLinks, google.com/url), without any network request.

    Returns ``link`` itself where nothing is wrapped. For the command line and the HTTP API, before they create.
    """
    for _ in range(3):
        parts = urlsplit(link)
        for host, path, parameter in _WRAPPERS:
            values = parse_qs(parts.query).get(parameter)
            if parts.hostname and host.fullmatch(parts.hostname) and parts.path.startswith(path) and values:
                link = values[0] if "://" in values[0] else unquote(values[0])
                break
        else:
            return link
    return link
