"""The link table: hosts of each platform, shapes of its links, and where each shape's web client is.

Shapes and hosts are those of the platforms' own invitations and of the addresses that their pages lead to.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Self

from pydantic import Field, model_validator

from meeting_buddy.contract.links import pasted, teams
from meeting_buddy.contract.wire import ContractModel


class Platform(StrEnum):
    """The platforms that have hosts of their own."""

    TEAMS = "Teams"
    ZOOM = "Zoom"
    GOOGLE_MEET = "GoogleMeet"
    WEBEX = "Webex"


PLATFORM_NAME: Final = re.compile(r"^[A-Z][A-Za-z0-9]{1,31}$")
PlatformName = Annotated[str, Field(pattern=PLATFORM_NAME.pattern)]
"""``spec.platform``: one of the four, or a self-hosted kind, which runs on hosts that the installer lists and whose
links its platform table describes (``contract/links/kinds.py``)."""


_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST: Final = rf"({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?"
"""Part of a pattern: a meeting's host, in lower case; none that is :data:`INTERNATIONALISED` is taken."""
INTERNATIONALISED: Final = re.compile(r"(^|\.)xn--")


def is_self_hosted(platform: PlatformName) -> bool:
    """Whether the platform is none of the four."""
    return platform not in LINKS


class LinkShape(NamedTuple):
    """One shape of a platform's links."""

    pattern: re.Pattern[str]
    """Matches path, query and fragment as a whole; groups ``id``, ``passcode``, ``query``, ``fragment``."""
    web: str = ""
    """Path, query and fragment that lead to the web client, with the pattern's groups; empty: as in the link."""
    add_query: tuple[str, ...] = ()
    """Parameters at the end of ``{query}``."""
    unpack: Callable[[str], str | None] | None = None
    """Takes the group ``packed`` to the link inside: all of it, or from its path on; ``None`` where there is none."""


class LinkRules(NamedTuple):
    """One row of the link table."""

    hosts: tuple[str, ...]
    """Host names; ``*.`` in front stands for one or more labels. Empty: hosts are the installer's."""
    shapes: tuple[LinkShape, ...]
    """The first one that matches counts."""
    example: str
    """A link of the most common shape, for messages."""
    refused_hosts: tuple[str, ...] = ()
    """Hosts of the platform that serve no meeting a guest can join."""
    refused_shapes: tuple[tuple[str, str], ...] = ()
    """Starts of path and query that lead to no meeting a guest can join, each with the advice."""
    dropped_parameters: frozenset[str] = frozenset()
    """Query parameters, in lower case, that lead away from the web client."""
    parameter_values: Mapping[str, str] = {}
    """What the value of a parameter, in lower case, looks like; tells punctuation that was pasted along."""
    public_parameters: frozenset[str] = frozenset()
    """Query parameters, in lower case, that only set the page up. The value of any other one is a secret."""
    public_words: frozenset[str] = frozenset()
    """Words of the platform's own, in lower case, in paths and fragments: they identify no meeting."""

    def owns(self, host: str) -> bool:
        """Whether ``host``, in lower case, is one of the platform's, meetings on it or not."""
        return any(_host_fits(host, pattern) for pattern in self.hosts)


def shape(
    path: str,
    web: str = "",
    *,
    passcode: str | None = None,
    add_query: tuple[str, ...] = (),
) -> LinkShape:
    """A shape of ``path``, then any query and fragment; ``passcode`` names the parameter that holds one."""
    held = rf"(?:(?=\?(?:[^#]*?&)?{passcode}=(?P<passcode>[^&#]+))|)" if passcode else ""
    pattern = rf"{path}/?{held}(?P<query>(?:\?[^#]*)?)(?P<fragment>(?:#.*)?)"
    return LinkShape(re.compile(pattern, re.ASCII), web, add_query)


def _packed(pattern: str, unpack: Callable[[str], str | None]) -> LinkShape:
    """A shape that only holds another link of its platform, in the group ``packed``."""
    return LinkShape(re.compile(pattern, re.ASCII), unpack=unpack)


def id_parameter(name: str, value: str) -> str:
    """The query, which must hold the meeting's id in the parameter ``name``."""
    return rf"(?=\?(?:[^#]*?&)?{name}=(?P<id>{value})(?:[&#]|$))"


_ZOOM_ID: Final = r"(?P<id>\d{9,11})"
_NAME: Final = rf"""(?P<id>[^/?#,;()<>\[\]{{}}'"]*[^/?#{re.escape(pasted.MARKS)}])"""
"""Marks at its end were pasted along."""
_CODE_IN_CAPITALS: Final = r"(?P<packed>/(?=[a-zA-Z-]*[A-Z])[a-zA-Z]{3}-[a-zA-Z]{4}-[a-zA-Z]{3})/?(?:[?#].*)?"
_SWITCH: Final = r"true|false|[01]"

LINKS: Final[dict[PlatformName, LinkRules]] = {
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
            shape(
                r"/l/meetup-join/(?P<thread>(?P<id>[^/?#]*\w)(?:/[\w-]+)?)",
                "/v2/?meetingjoin=true#/l/meetup-join/{thread}{query}",
                add_query=("anon=true",),
            ),
            shape(r"/meet/(?P<id>\d{2,20})", passcode="p"),
            # What a plain link is redirected to, as it is copied from the address bar.
            _packed(r"(?:/|/(?:_|v2)/?)(?:\?[^#]*)?#(?P<packed>/(?:l/meetup-join|meet)/.+)", str),
            _packed(r"/dl/launcher/launcher\.html\?[^#]*#(?P<packed>/(?:l/meetup-join|meet)/.+)", str),
            _packed(r"/dl/launcher/launcher\.html\?(?:[^#]*?&)?url=(?P<packed>[^&#]+).*", teams.launched),
            _packed(r"/light-meetings/launch/?\?(?:[^#]*?&)?coords=(?P<packed>[^&#]+).*", teams.at_coordinates),
        ),
        "https://teams.microsoft.com/l/meetup-join/…",
        refused_shapes=(
            (r"/l/channel/", "the link leads to a team's conversation: copy the link of the meeting's invitation"),
            (r"/join/", "the link invites to a group, not to a meeting: copy the link of the meeting's invitation"),
        ),
        dropped_parameters=frozenset(
            {
                *("anon", "deeplinkid", "directdl", "enablemobilepage", "launchagent", "launchtype"),
                *("lightexperience", "mslaunch", "suppressprompt", "type"),
            }
        ),
        parameter_values={"p": r"\w+", "context": r"(?:\{|%7b).*(?:\}|%7d)", "anon": _SWITCH},
        public_parameters=frozenset(
            {
                *("agent", "anon", "directdl", "enablemobilepage", "launchagent", "launchtype", "lightexperience"),
                *("locale", "meetingjoin", "mslaunch", "suppressprompt", "type", "webjoin"),
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
            "zoom-x.de",
            "*.zoom-x.de",
        ),
        (
            shape(rf"/[jw]/{_ZOOM_ID}", "/wc/join/{id}{query}", passcode="pwd"),
            shape(rf"/wc/join/{_ZOOM_ID}", passcode="pwd"),
            shape(rf"/wc/{_ZOOM_ID}/join", passcode="pwd"),
            shape(rf"/wc/{_ZOOM_ID}/start", "/wc/{id}/join{query}", passcode="pwd"),
            shape(r"/my/(?P<id>[\w.-]*[\w-])", passcode="pwd"),
        ),
        "https://zoom.us/j/1234567890",
        ("events.zoom.us", "ev.zoom.com"),
        refused_shapes=(
            (r"/s/", "the link is the one that its host opens the meeting with: copy the link of the invitation"),
        ),
        parameter_values={"pwd": r"[\w%=-]+(?:\.\d+)?", "frompwa": _SWITCH, "omn": r"\d+", "zc": _SWITCH},
        public_parameters=frozenset({"from", "frompwa", "lang", "status", "zc"}),
        public_words=frozenset({"join", "start", "success"}),
    ),
    Platform.GOOGLE_MEET: LinkRules(
        ("meet.google.com",),
        (
            shape(
                r"/(?!(?:about|calling|getalink|landing|linkredirect|lookup|new)(?:[/?#]|$))(?P<id>[a-z0-9][a-z0-9-]{3,38}[a-z0-9])"
            ),
            _packed(_CODE_IN_CAPITALS, str.lower),  # as codes for cameras (QR) have it
        ),
        "https://meet.google.com/abc-defg-hij",
        refused_shapes=(
            (
                r"/lookup(?:[/?#]|$)",
                "the link is for users of a Google Workspace who are signed in: copy the one with the code",
            ),
            (r"/linkredirect(?:[/?#]|$)", "the link only leads to another one: copy that"),
        ),
        dropped_parameters=frozenset({"hl"}),  # the page's language, which the table chooses
        parameter_values={"authuser": r"\d+", "hl": r"[a-z]+(?:-\w+)*", "hs": r"\d+", "pli": r"\d+"},
        public_parameters=frozenset({"authuser", "hl", "hs", "pli"}),
    ),
    Platform.WEBEX: LinkRules(
        ("*.webex.com",),
        (
            shape(rf"/(?:meet|join)/{_NAME}"),
            shape(rf"/meet/?{id_parameter('meetingId', r'[0-9]+')}"),
            shape(rf"/[^/?#]+/(?:e/)?j\.php{id_parameter('(?i:MTID)', '[^&#]+')}"),
            shape(rf"/[^/?#]+/onstage/g\.php{id_parameter('(?i:MTID)', '[^&#]+')}"),
            shape(rf"/(?:wbxmjs|wbxmjrn)/joinservice/sites/[^/?#]+/meeting/download/{_NAME}"),
            shape(rf"/webappng/sites/[^/?#]+/meeting/(?:download|info)/{_NAME}"),
        ),
        "https://example.webex.com/meet/name",
        refused_shapes=((r"/join/?(?:[?#]|$)", "the link carries no number or name: copy the one of the invitation"),),
        dropped_parameters=frozenset({"launchapp"}),
        parameter_values={"mtid": r"\w+", "siteurl": r"[\w-]+", "launchapp": _SWITCH},
        public_parameters=frozenset({"launchapp", "siteurl"}),  # siteurl: the host's first label
        public_words=frozenset(
            {
                *("meet", "join", "j.php", "g.php", "onstage", "joinservice", "sites", "meeting", "download", "info"),
            }
        ),
    ),
}


class SelfHostedHost(ContractModel):
    """A host of the administrator's own that runs a self-hosted kind of platform."""

    platform: PlatformName = Field(json_schema_extra={"not": {"enum": [each.value for each in Platform]}})
    host: str = Field(
        pattern=f"^{HOST}$", max_length=253, json_schema_extra={"not": {"pattern": INTERNATIONALISED.pattern}}
    )
    port: int = Field(443, ge=1, le=65535)

    @model_validator(mode="after")
    def _kind(self) -> Self:
        if not is_self_hosted(self.platform):
            raise ValueError(f"{self.platform} has hosts of its own; list only hosts of self-hosted kinds")
        if INTERNATIONALISED.search(self.host):
            raise ValueError("host must not be internationalised (xn--): no link to it is taken")
        return self


def platform_of(host: str) -> PlatformName | None:
    """The platform of the four that ``host``, in lower case, belongs to."""
    for platform, rules in LINKS.items():
        if host not in rules.refused_hosts and rules.owns(host):
            return platform
    return None


def _host_fits(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[2:] if pattern.startswith("*.") else host == pattern
