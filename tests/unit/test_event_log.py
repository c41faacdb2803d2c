"""``events.jsonl``: one line each, on the session's clock, without secrets, never in the way."""

import json
from pathlib import Path

from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog
from meeting_buddy_bot.support.redaction import Redactor


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_has_its_time_twice_and_its_facts(tmp_path: Path) -> None:
    events = EventLog(tmp_path / "events.jsonl", SessionClock())
    events.write("lobby", people=["Ann", "Bo"], left=None)
    [line] = lines(tmp_path / "events.jsonl")
    assert list(line)[:3] == ["t", "time", "event"]
    assert str(line["time"]).endswith("Z")
    assert (line["event"], line["people"], line["left"]) == ("lobby", ["Ann", "Bo"], None)


def test_events_are_appended_also_by_a_later_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for name in ("first", "second"):
        events = EventLog(path, SessionClock())
        events.write(name)
        events.close()
    assert [line["event"] for line in lines(path)] == ["first", "second"]


def test_a_link_is_cut_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    link = "https://zoom.us/j/1234567890?pwd=secret99"
    EventLog(path, SessionClock(), Redactor.for_link(link)).write(
        "x", a=link, b=[link], c={"d": {"e": f"pwd secret99 {link}"}}
    )
    text = path.read_text()
    assert "1234567890" not in text
    assert "secret99" not in text


def test_a_volume_that_refuses_costs_the_line_alone(tmp_path: Path) -> None:
    events = EventLog(tmp_path / "missing" / "events.jsonl", SessionClock())
    events.write("lost")
    (tmp_path / "missing").mkdir()
    events.write("kept")
    assert [line["event"] for line in lines(tmp_path / "missing" / "events.jsonl")] == ["kept"]
