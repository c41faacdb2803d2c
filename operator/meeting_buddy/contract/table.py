"""Platform tables: what a meeting's page looks like and how a guest joins it, as data.

One YAML file per platform, read and validated by the operator, handed to the bot in its assignment. ``elements`` says
where things are on the page, each with a source; signals and steps refer to them by name. Verbs are a closed set; there
are no expressions and no scripts. A match looks at every frame of the page; its fields must hold together in one.
"""

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from meeting_buddy.contract.links import LINKS, LinkRules, PlatformName, SelfHostedKind, is_self_hosted
from meeting_buddy.contract.locator import Css, ElementName, Locator, Range, Source, TableModel, Text
from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason

Alternatives = Annotated[tuple[Locator, ...], Field(min_length=1, max_length=40)]
"""Ways to find one thing; the first that finds something counts."""


class Match(TableModel):
    """One observation; in a table, the bare name of an element is short for ``{element: name}``."""

    element: ElementName | None = None
    """It is there."""
    at_least: int = Field(1, ge=1, le=100)
    """So many of it are there."""
    enabled: bool | None = None
    """It is (not) disabled."""
    on: bool | None = None
    """It is (not) pressed, checked or switched on."""
    number: Range | None = None
    """The first whole number in its text or name lies in this range."""
    path: Text | None = None
    """``location.pathname`` is exactly this."""
    url: Text | None = None
    """The frame's address contains this."""
    title: Text | None = None
    """The document's title contains this."""
    dialog: Text | None = None
    """A JavaScript dialog whose text contains this was shown since the page was opened."""
    console: Annotated[tuple[Text, ...], Field(max_length=5)] = ()
    """One line with all of these was written to the console since the page was opened; the properties of an object that
    was logged follow the line's text as ``name=value``."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"element": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        heard = self.dialog or self.console
        seen = any((self.element, self.path, self.url, self.title))
        if not heard and not seen:
            raise ValueError("a match needs element, path, url, title, dialog or console")
        if heard and (seen or (self.dialog and self.console)):
            raise ValueError("dialog and console stand alone in a match: they are heard, not seen in a frame")
        if self.element is None and (self.at_least > 1 or any(map(_given, (self.enabled, self.on, self.number)))):
            raise ValueError("atLeast, enabled, on and number ask about an element")
        return self


class Condition(TableModel):
    """Holds when all of ``all``, one of ``any`` (if there are any) and none of ``none`` hold."""

    all: tuple[Match, ...] = ()
    any: tuple[Match, ...] = ()
    none: tuple[Match, ...] = ()

    @property
    def matches(self) -> tuple[Match, ...]:
        """All that it asks about."""
        return (*self.all, *self.any, *self.none)


class Verb(StrEnum):
    """What a step does. Clicks and keys are trusted input, as of a person's mouse and keyboard."""

    CLICK = "click"
    TYPE = "type"
    """Replace what a field holds; only while it holds something else."""
    TOGGLE_OFF = "toggleOff"
    """Click what is on."""
    PRESS = "press"
    """Press a key, in the element or in the page."""
    HOVER = "hover"
    SCROLL = "scroll"
    """Bring the element into view."""
    OPEN = "open"
    """Open a path of the meeting's host."""
    RELOAD = "reload"


_WITHOUT_TARGET = frozenset({Verb.PRESS, Verb.OPEN, Verb.RELOAD})
_WITH_VALUE = frozenset({Verb.TYPE, Verb.PRESS, Verb.OPEN})
_PATH = re.compile(r"/(?!/)[^\s\\{}]*")
"""Nothing of it can become another host: browsers read a backslash as a slash, and pass over line breaks."""


class Step(TableModel):
    """One action: at each look, the first step that applies is run.

    It applies when its target is there and can be acted on (enabled; on, for ``toggleOff``; holding another text, for
    ``type``), ``when`` holds, and it was run fewer than ``maxRuns`` times; then ever more rarely, unless that
    is 1 or it types the passcode.
    """

    name: str = Field(min_length=1, max_length=64)
    when: Condition = Condition()
    do: Verb
    target: ElementName | None = None
    value: str | None = Field(None, max_length=256)
    """For ``type`` (``{botName}``, ``{passcode}`` and ``{announcement}`` stand for the session's own), ``press``
    (``Escape``, ``Control+Shift+H``) and ``open`` (a path, with a query where it needs one)."""
    max_runs: int = Field(3, ge=1, le=20)
    in_call: bool = False
    """It applies in the call too: to a notice that a guest must accept, or a list that must be open to be read."""
    source: Source | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do not in _WITHOUT_TARGET and self.target is None:
            raise ValueError(f"step {self.name}: {self.do} needs a target")
        if (self.do in _WITH_VALUE) != (self.value is not None):
            raise ValueError(f"step {self.name}: {self.do} {'needs a' if self.do in _WITH_VALUE else 'takes no'} value")
        if self.do is Verb.OPEN and not _PATH.fullmatch(self.value or ""):
            raise ValueError(f"step {self.name}: open takes a path of the meeting's host, such as /join")
        if self.target is None and not self.when.all and not self.when.any:
            raise ValueError(f"step {self.name}: without a target it needs all or any in when")
        if self.source is None and _needs_source(self.when):
            raise ValueError(f"step {self.name}: what it reads of the page's address or console needs a source")
        return self

    @property
    def secret(self) -> bool:
        """Whether it types the meeting's passcode."""
        return self.value is not None and "{passcode}" in self.value


class State(StrEnum):
    """What a signal says of the page, in the order in which signals are judged."""

    ENDED = "ended"
    REFUSED = "refused"
    LOBBY = "lobby"
    RECONNECTING = "reconnecting"
    IN_CALL = "inCall"
    PRE_JOIN = "preJoin"


class Signal(Condition):
    """Evidence for a state of the page."""

    state: State
    reason: Reason | None = None
    """Why it ended or was refused."""
    waiting: Waiting | None = None
    """What the bot waits for in the lobby."""
    stable_for: float = Field(0.0, ge=0, le=60)
    """Seconds for which it must hold without a break."""
    after_join: bool = False
    """Counts only once the bot has been in the call."""
    source: Source | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.all and not self.any:
            raise ValueError("a signal needs all or any")
        if (self.state in (State.ENDED, State.REFUSED)) != (self.reason is not None):
            raise ValueError(f"a signal for {self.state} {'takes no' if self.reason else 'needs a'} reason")
        if self.state is State.IN_CALL and len({match.element for match in self.all} - {None}) < 2:
            raise ValueError("inCall needs two signs from different regions of the page")
        if self.source is None and _needs_source(self):
            raise ValueError("what a signal reads of the page's address, title, dialogs or console needs a source")
        return self


class Announcement(TableModel):
    """How a guest writes to everybody in the meeting's chat."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10)]
    """Run in the call: at each look the first that applies. One that tells by ``when`` when it does, or types, is run
    again where it still applies some seconds later, up to ``maxRuns`` times, and nothing behind it comes until then;
    any other is run once. The one that sends is run once; no earlier step runs after it, no later one
    before it."""
    sends: str
    """Name of the step with which the text is posted; what follows tidies up."""

    @property
    def sends_at(self) -> int:
        """Which of the steps that is."""
        return [step.name for step in self.steps].index(self.sends)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.sends not in [step.name for step in self.steps]:
            raise ValueError(f"sends: there is no step {self.sends!r} in announcement")
        if not any("{announcement}" in (step.value or "") for step in self.steps):
            raise ValueError("no step of announcement types {announcement}")
        return self


class TileText(TableModel):
    """Where a tile shows its person's name."""

    css: Css | None = None
    """Inside the tile, or the tile itself; absent: the tile itself."""
    attribute: Text | None = None
    """Read this attribute instead of the visible text."""
    before: Text | None = None
    """The name ends before this, such as the comma in ``Ada, muted``."""


class TileMark(TableModel):
    """Something that is true of a tile: it, or an element inside it, matches."""

    css: Css
    text: Text | None = None
    """The matching element's text contains this."""
    style: dict[Text, Text] = {}
    """Computed style of the matching element, property by property."""


class Participants(TableModel):
    """Where the page shows who is there and who speaks."""

    tile: Alternatives
    """One for each person, or screen that is shown; whether it is visible does not matter unless a locator says so."""
    name: Annotated[tuple[TileText, ...], Field(min_length=1, max_length=10)]
    own: Annotated[tuple[TileMark, ...], Field(max_length=10)] = ()
    speaking: Annotated[tuple[TileMark, ...], Field(max_length=10)] = ()
    screen_share: Annotated[tuple[TileMark, ...], Field(max_length=10)] = ()
    count: ElementName | None = None
    """Its first whole number is how many are there, the bot among them; where the page shows only some tiles. A locator
    that finds no number leaves it to the next."""
    source: Source


class Media(TableModel):
    """Where the page holds remote sound and picture; where it does not, the sound device alone is the evidence."""

    kind: Literal["elements", "mixed", "none"] = "elements"
    """``elements``: one per person; ``mixed``: one for all; ``none``: the page plays from elsewhere."""
    audio: Css | None = None
    """Elements whose clock runs while the page plays sound, be it silence: a dead server does not stop them."""
    video: Css | None = None
    """Elements whose count of frames rises while pictures arrive; of people whose camera is on, and no shared screen,
    which may stand still for as long as it likes."""
    source: Source

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "none") != (self.audio is None):
            raise ValueError(f"media of kind {self.kind} {'takes no' if self.audio else 'needs'} audio")
        return self


class Devices(TableModel):
    """What the meeting's own origin may use; everything else, and everybody else, is denied."""

    microphone: Literal["none", "silent"] = "none"
    """``silent``: it may open the microphone, which carries silence."""
    camera_permission: bool = False
    """It may open a camera. There never is one; some pages play sound only to who has both permissions."""


class Url(TableModel):
    """What the first page's address gets besides the meeting."""

    query: dict[str, str] = {}
    """Query parameters to add where the link has none of that name."""


class Timeouts(TableModel):
    """Deadlines in seconds that belong to the page, not to the user."""

    load: float = Field(45, gt=0, le=300)
    """Until anything is recognised."""
    join: float = Field(90, gt=0, le=600)
    """From the page's first answer to the lobby or the call, and from the lobby to the call; time in it is people's."""
    missing: float = Field(60, gt=0, le=300)
    """How long the call may show no sign before it counts as over, or be unread or an error page before it is lost."""
    reconnect: float = Field(60, gt=0, le=600)
    """How long the page may say that it is reconnecting, until the call counts as lost."""
    rejoin: float = Field(120, gt=0, le=600)
    """How long the bot tries to come back to a call that was lost, or whose browser died."""
    goodbye: float = Field(0, ge=0, le=10)
    """How long the page stays open once the bot has left by its buttons: some clients tell their server only then."""


class PlatformTable(TableModel):
    """All that the bot knows of one platform's page."""

    table_version: Literal[1]
    """Version of this grammar."""
    platform: PlatformName
    checked: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day on which the facts were last seen on a real page, or else of the collection that they come from."""
    source: Source
    self_hosted: SelfHostedKind | None = None
    """What its links look like; only of a kind that runs on hosts of the installer's."""
    url: Url = Url()
    devices: Devices = Devices()
    timeouts: Timeouts = Timeouts()
    elements: Annotated[dict[ElementName, Alternatives], Field(max_length=200)]
    steps: Annotated[tuple[Step, ...], Field(max_length=100)]
    signals: Annotated[tuple[Signal, ...], Field(max_length=200)]
    leave: Annotated[tuple[Step, ...], Field(max_length=20)]
    announcement: Announcement | None = None
    """``None``: a guest cannot write there, or nobody knows how."""
    breakout_rooms: Condition | None = None
    """Holds while the page speaks of breakout rooms: the bot stays where it is, and does not count as left alone."""
    participants: Participants
    media: Media

    @property
    def link_rules(self) -> LinkRules:
        """The platform's row of the link table."""
        return LINKS[self.platform] if self.self_hosted is None else self.self_hosted.rules

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Those of joining, of leaving and of the announcement."""
        return (*self.steps, *self.leave, *(self.announcement.steps if self.announcement else ()))

    @property
    def matches(self) -> tuple[Match, ...]:
        """All that steps and signals ask about, each once."""
        conditions: list[Condition] = [step.when for step in self.all_steps]
        conditions += self.signals
        if self.breakout_rooms is not None:
            conditions.append(self.breakout_rooms)
        return tuple(dict.fromkeys(match for each in conditions for match in each.matches))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.self_hosted is not None) != is_self_hosted(self.platform):
            raise ValueError(
                f"{self.platform} has hosts and links of its own: it takes no selfHosted"
                if self.self_hosted
                else f"{self.platform} is a self-hosted kind: say in selfHosted what its links look like"
            )
        if not any(signal.state is State.IN_CALL for signal in self.signals):
            raise ValueError("a table needs an inCall signal")
        names = [step.name for step in self.all_steps]
        if len(names) != len(set(names)):
            raise ValueError("step names must be unique")
        for user, needed in _references(self):
            if needed not in self.elements:
                raise ValueError(f"{user}: there is no element {needed!r}")
        _refuse_cycles(self.elements)
        return self


def table_hash(table: PlatformTable) -> str:
    """First 16 hex digits of the SHA-256 of the table's canonical JSON; in the session's status as ``tableHash``.

    Of what the table says alone: a field that a later version adds, with a default, changes no hash.
    """
    return hashlib.sha256(table.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]


def _given(value: object) -> bool:
    return value is not None


def _needs_source(condition: Condition) -> bool:
    """Whether something is read that no element, which has a source of its own, stands for."""
    return any(match.path or match.url or match.title or match.dialog or match.console for match in condition.matches)


def _references(table: PlatformTable) -> list[tuple[str, str]]:
    """Who refers to which element."""
    found = [
        (f"element {name}", locator.within)
        for name, alternatives in (*table.elements.items(), ("tile", table.participants.tile))
        for locator in alternatives
    ]
    for step in table.all_steps:
        found += [(f"step {step.name}", needed) for needed in (step.target, *_elements(step.when))]
    for signal in table.signals:
        found += [(f"signal for {signal.state}", needed) for needed in _elements(signal)]
    found += [("breakoutRooms", needed) for needed in _elements(table.breakout_rooms or Condition())]
    found.append(("participants.count", table.participants.count))
    return [(user, needed) for user, needed in found if needed is not None]


def _elements(condition: Condition) -> list[str]:
    return [match.element for match in condition.matches if match.element is not None]


def _refuse_cycles(elements: dict[str, tuple[Locator, ...]]) -> None:
    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"element {name} lies within itself: {' within '.join((*above, name))}")
        for locator in elements[name]:
            if locator.within is not None:
                visit(locator.within, (*above, name))

    for name in elements:
        visit(name, ())
