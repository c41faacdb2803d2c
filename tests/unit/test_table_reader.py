"""What a bot makes of optional parts of a table that an operator of another version sent."""

from __future__ import annotations

from typing import Any

import pytest

from meeting_buddy.contract.links import SelfHostedHost, parse_link
from meeting_buddy.contract.table_reader import load_table, read_table
from tests.support.small_table import SOURCE, raw_table

ANNOUNCEMENT: dict[str, Any] = {
    "steps": [
        {"name": "write", "do": "type", "target": "chat field", "value": "{announcement}"},
        {"name": "send", "do": "press", "target": "chat field", "value": "Enter"},
    ],
    "sends": "send",
}


def raw(**parts: Any) -> dict[str, Any]:
    found = raw_table()
    found["elements"]["chat field"] = [{"css": "#chat", "source": SOURCE}]
    return {**found, **parts}


def test_what_is_understood_is_as_it_was_sent() -> None:
    sent = raw(announcement=ANNOUNCEMENT, breakoutRooms={"any": ["form"]})
    assert read_table(sent) == (load_table(sent), [])


@pytest.mark.parametrize(
    ("parts", "left_out"),
    [
        ({"announcement": {**ANNOUNCEMENT, "twice": True}}, "announcement"),
        ({"announcement": {**ANNOUNCEMENT, "steps": [{**ANNOUNCEMENT["steps"][0], "do": "sing"}]}}, "announcement"),
        ({"breakoutRooms": {"any": ["form"], "unless": ["form"]}}, "breakoutRooms"),
    ],
)
def test_a_part_in_which_anything_is_unknown_is_left_out_whole(parts: dict[str, Any], left_out: str) -> None:
    table, found = read_table(raw(**parts))
    assert (table, found) == (load_table(raw()), [left_out])


@pytest.mark.parametrize("part", [{"announcement": ANNOUNCEMENT}, {"breakoutRooms": {"any": ["chat field"]}}])
def test_with_the_last_way_to_find_an_element_goes_the_part_that_needs_it(part: dict[str, Any]) -> None:
    sent = raw(**part)
    sent["elements"]["chat field"] = [{"css": "#chat", "shape": "round", "source": SOURCE}]
    table, left_out = read_table(sent)
    assert (table.announcement, table.breakout_rooms) == (None, None)
    assert left_out == ["element chat field: #chat", *part]


def test_a_self_hosted_kinds_table_of_before_links_stood_in_it_takes_what_its_operator_let_through() -> None:
    sent = raw()
    del sent["selfHosted"]
    table, _ = read_table(sent)
    hosts = [SelfHostedHost(platform="LiveKit", host="meet.example.org")]
    meeting = parse_link("https://meet.example.org/rooms/daily#key", "LiveKit", hosts, {"LiveKit": table.link_rules})
    assert meeting.meeting_id == "daily"
