"""Platform tables: strict where they are read, and the tables that we ship."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from meeting_buddy.contract.table import Match, PlatformTable, State, table_hash
from meeting_buddy.contract.table_reader import UnusableTableError, load_table, read_table
from tests.local.clone import PLATFORM_TABLES
from tests.support.small_table import SOURCE, raw_table

WRITES: dict[str, Any] = {
    "sends": "send",
    "steps": [
        {"name": "write", "do": "type", "target": "form", "value": "{announcement}"},
        {"name": "send", "do": "press", "target": "form", "value": "Enter"},
    ],
}
"""An announcement as a table has it."""

OPENS: dict[str, Any] = {"name": "open", "do": "open", "when": {"all": ["form"]}}
ELSEWHERE = (
    *("//evil.example.org/x", "/\\evil.example.org", "/\t/evil.example.org", "\\\\evil.example.org", "/{botName}", ""),
    *("https://evil.example.org", "javascript:alert(1)", "join", " /join"),
)
"""What a browser would take for another address than one of the meeting's host."""

SHIPPED = sorted(PLATFORM_TABLES.glob("*.yaml"))


def test_a_small_table_is_enough() -> None:
    assert load_table(raw_table()).platform == "LiveKit"


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The table with another value at one place."""
    raw = raw_table()
    if path[0] == "announcement":
        raw["announcement"] = deepcopy(WRITES)
    place: Any = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("tableVersion",), 2, "tableVersion"),
        (("steps", 0, "do"), "run_script", "do"),
        (("steps", 0, "script"), "alert(1)", "script"),
        (("steps", 0, "target"), None, "needs a target"),
        (("steps", 0, "target"), "exit", "there is no element 'exit'"),
        (("steps", 0, "value"), "x", "takes no value"),
        (("steps", 0, "do"), "type", "needs a value"),
        *((("steps", 0), {**OPENS, "value": value}, "open takes a path") for value in ELSEWHERE),
        (("steps", 0, "maxRuns"), 0, "maxRuns"),
        (("steps", 0, "when"), {"all": [{}]}, "needs element, path"),
        (("steps", 0, "when"), {"none": ["exit"]}, "there is no element 'exit'"),
        (("steps", 0, "when"), {"all": [{"element": "form", "dialog": "y"}]}, "stand alone"),
        (("steps", 0, "when"), {"all": [{"console": ["x"], "dialog": "y"}]}, "stand alone"),
        (("steps", 0, "when"), {"all": [{"path": "/", "on": True}]}, "ask about an element"),
        (("steps", 0, "when"), {"all": [{"path": "/"}]}, "needs a source"),
        (("steps", 0), {"name": "reload", "do": "reload", "when": {"none": ["form"]}}, "needs all or any in when"),
        (("platform",), "Zoom", "takes no selfHosted"),
        (("platform",), "my kind", "platform"),
        (("selfHosted",), None, "say in selfHosted what its links look like"),
        (("selfHosted", "httpName"), "Live-Kit", "httpName"),
        (("selfHosted", "links"), [], "links"),
        (("selfHosted", "links", 0, "path"), "/rooms/.*", "path"),
        (("selfHosted", "links", 0, "path"), "/rooms", "needs its meeting's id once"),
        (("selfHosted", "links", 0, "path"), "/{id}/{id}", "needs its meeting's id once"),
        (("selfHosted", "links", 0, "idParameter"), "room", "needs its meeting's id once"),
        (("elements", "form"), [], "form"),
        (("elements", "form", 0, "source"), "I remember", "source"),
        (("elements", "form", 0), {"source": SOURCE}, "needs css, role, name or text"),
        (("elements", "form", 0, "role"), "captain", "role"),
        (("elements", "form", 0, "within"), "join button", "within itself"),
        (("elements", "form", 0, "within"), "page", "there is no element 'page'"),
        (("signals", 0, "all"), ["own tile"], "two signs"),
        (("signals", 0, "all"), ["own tile", "own tile"], "two signs"),
        (("signals", 0, "state"), "ended", "needs a reason"),
        (("signals", 0, "state"), "preJoin", "inCall signal"),
        (("signals", 0, "reason"), "MeetingEnded", "takes no reason"),
        (("participants", "count"), "heading", "there is no element 'heading'"),
        (("media", "kind"), "none", "takes no audio"),
        (("checked",), "yesterday", "checked"),
        (("devices",), {"microphone": "ask"}, "microphone"),
        (("announcement",), {**WRITES, "sends": "submit"}, "sends: there is no step 'submit' in announcement"),
        (("announcement",), {**WRITES, "sends": "join"}, "sends: there is no step 'join' in announcement"),
        (("announcement",), {"steps": WRITES["steps"]}, "sends"),
        (("announcement",), {**WRITES, "steps": []}, "announcement.steps"),
        (("announcement",), {**WRITES, "steps": WRITES["steps"][1:]}, "no step of announcement types {announcement}"),
        (("announcement", "steps", 0, "target"), "chat", "step write: there is no element 'chat'"),
        (("announcement", "steps", 0, "when"), {"none": ["chat"]}, "step write: there is no element 'chat'"),
        (("announcement", "steps", 1, "name"), "join", "sends: there is no step 'send'"),
        (("breakoutRooms",), {"any": ["rooms"]}, "breakoutRooms: there is no element 'rooms'"),
        (("breakoutRooms",), {"all": ["form"], "none": ["rooms"]}, "breakoutRooms: there is no element 'rooms'"),
        (("breakoutRooms",), {"some": ["form"]}, "breakoutRooms.some"),
    ],
)
def test_a_mistake_in_a_table_is_found_where_it_is_read(path: tuple[Any, ...], value: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        load_table(changed(path, value))


@pytest.mark.parametrize("path", ["/", "/join", "/a//b?next=/c#d"])
def test_a_step_opens_a_path_of_the_meetings_host(path: str) -> None:
    assert load_table(changed(("steps", 0), {**OPENS, "value": path})).steps[0].value == path


class TestTableOfANewerOperator:
    """What a bot makes of a table in which something is new to it."""

    def test_one_that_it_knows_whole_is_as_it_was_sent(self) -> None:
        sent = load_table(raw_table())
        table, left_out = read_table(sent.model_dump(mode="json", by_alias=True))
        assert (table, left_out) == (sent, [])

    def test_an_unknown_field_of_the_table_itself_is_ignored(self) -> None:
        assert read_table({**raw_table(), "mood": "good"}) == (load_table(raw_table()), [])

    @pytest.mark.parametrize(
        ("part", "name"),
        [
            ({"name": "agree", "do": "nod", "target": "form"}, "step agree"),
            ({"name": "agree", "do": "click", "target": "form", "twice": True}, "step agree"),
            ({"name": "agree", "do": "click", "target": "form", "when": {"all": [{"smell": "x"}]}}, "step agree"),
        ],
    )
    def test_a_step_in_which_anything_is_unknown_is_left_out_whole(self, part: dict[str, Any], name: str) -> None:
        raw = raw_table()
        raw["steps"].append(part)
        table, left_out = read_table(raw)
        assert [step.name for step in table.steps] == ["join"]
        assert left_out == [name]

    def test_so_is_a_signal(self) -> None:
        raw = raw_table()
        raw["signals"] += [
            {"state": "refused", "reason": "TooLoud", "all": ["form"]},
            {"state": "lobby", "all": ["form"], "unless": ["own tile"]},
        ]
        table, left_out = read_table(raw)
        assert [signal.state for signal in table.signals] == [State.IN_CALL]
        assert left_out == ["signal refused/TooLoud", "signal lobby"]

    def test_one_way_to_find_an_element_leaves_the_others(self) -> None:
        raw = raw_table()
        raw["elements"]["join button"].append({"xpath": "//b", "css": "b", "source": SOURCE})
        table, left_out = read_table(raw)
        assert len(table.elements["join button"]) == 2
        assert left_out == ["element join button: b"]

    def test_with_the_last_way_goes_all_that_needs_the_element(self) -> None:
        raw = changed(("elements", "form"), [{"css": "form", "shape": "round", "source": SOURCE}])
        raw["steps"].append({"name": "agree", "do": "click", "target": "form"})
        raw["signals"].append({"state": "preJoin", "any": [{"element": "form"}, "own tile"]})
        table, left_out = read_table(raw)
        assert (len(table.steps), len(table.signals), len(table.elements["join button"])) == (1, 1, 1)
        assert left_out == ["element form: form", "agree", "preJoin"]

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [
            (("steps", 0, "twice"), "no way to join by the platform's table; left out: step join"),
            (("signals", 0, "unless"), "a table needs an inCall signal"),
        ],
    )
    def test_without_a_way_to_join_or_a_sign_of_the_call_it_is_of_no_use(
        self, path: tuple[Any, ...], complaint: str
    ) -> None:
        with pytest.raises(UnusableTableError, match=complaint):
            read_table(changed(path, True))


def test_two_steps_of_one_name_are_refused_wherever_they_are() -> None:
    with pytest.raises(ValidationError, match="unique"):
        load_table(changed(("announcement", "steps"), [*WRITES["steps"], {**WRITES["steps"][0], "name": "join"}]))


def test_two_steps_of_one_name_are_refused() -> None:
    raw = raw_table()
    raw["leave"] = [raw["steps"][0]]
    with pytest.raises(ValidationError, match="unique"):
        load_table(raw)


def test_the_hash_tells_tables_apart_and_survives_the_wire() -> None:
    table = load_table(raw_table())
    assert table_hash(PlatformTable.model_validate_json(table.model_dump_json(by_alias=True))) == table_hash(table)
    other = raw_table()
    other["media"]["audio"] = "video"
    assert table_hash(load_table(other)) != table_hash(table)


def test_equal_matches_are_one() -> None:
    assert len({Match(element="a", on=True), Match(on=True, element="a"), Match(element="a")}) == 2


def test_the_name_of_an_element_is_short_for_its_being_there() -> None:
    assert Match.model_validate("form") == Match(element="form")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_table_is_whole(path: Path) -> None:
    table = load_table(yaml.safe_load(path.read_text()))
    assert path.stem == table.platform.lower()
    assert table.leave, "a bot that cannot leave politely stays as a ghost"
    assert {signal.state for signal in table.signals} >= {State.ENDED, State.REFUSED, State.IN_CALL, State.PRE_JOIN}


def test_code_that_all_platforms_share_knows_none() -> None:
    folder = SHIPPED[0].parent
    adapters = {table.with_suffix(".py") for table in SHIPPED}
    code = [*({*folder.glob("*.py")} - adapters), *folder.glob("*.js"), *folder.parent.glob("*.py")]
    for table in SHIPPED:
        platform = load_table(yaml.safe_load(table.read_text())).platform
        spelled = re.compile(rf"""["']{platform}["']|Platform\.{platform}""", re.IGNORECASE)
        mentions = [path.name for path in code if spelled.search(path.read_text())]
        assert mentions == [], f"code that knows {platform}"


def test_signals_are_judged_ended_first_and_pre_join_last() -> None:
    assert list(State) == [
        State.ENDED,
        State.REFUSED,
        State.LOBBY,
        State.RECONNECTING,
        State.IN_CALL,
        State.PRE_JOIN,
    ]
