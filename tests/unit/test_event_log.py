"""``events.jsonl``: one line each, on the session's clock, without secrets, never in the way."""

import json
from datetime import timedelta
from pathlib import Path

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.support.clock import SessionClock
from meeting_buddy_bot.support.event_log import EventLog


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_an_event_has_its_time_twice_and_its_facts(tmp_path: Path) -> None:
    events = EventLog(tmp_path / "events.jsonl", SessionClock())
    events.write("lobby", people=["Ann", "Bo"], left=None)
    assert await events.flush()
    [line] = lines(tmp_path / "events.jsonl")
    assert list(line)[:3] == ["t", "time", "event"]
    assert str(line["time"]).endswith("Z")
    assert (line["event"], line["people"], line["left"]) == ("lobby", ["Ann", "Bo"], None)


async def test_events_are_appended_also_by_a_later_log(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for name in ("first", "second"):
        events = EventLog(path, SessionClock())
        events.write(name)
        await events.close()
    assert [line["event"] for line in lines(path)] == ["first", "second"]


async def test_a_link_is_cut_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    link = "https://zoom.us/j/1234567890?pwd=secret99"
    events = EventLog(path, SessionClock(), Redactor.for_link(link))
    events.write("x", a=link, b=[link], c={"d": {"e": f"pwd secret99 {link}"}})
    await events.close()
    text = path.read_text()
    assert "1234567890" not in text
    assert "secret99" not in text


async def test_a_volume_that_refuses_delays_the_line_and_keeps_the_order(tmp_path: Path) -> None:
    events = EventLog(tmp_path / "missing" / "events.jsonl", SessionClock())
    events.write("refused")
    assert not await events.flush()
    (tmp_path / "missing").mkdir()
    events.write("taken")
    assert await events.flush()
    assert [line["event"] for line in lines(tmp_path / "missing" / "events.jsonl")] == ["refused", "taken"]


async def test_events_that_were_kept_back_have_the_seconds_of_the_clock_that_went_on(tmp_path: Path) -> None:
    clock = SessionClock()
    events = EventLog(tmp_path / "events.jsonl", clock)
    events.hold()
    events.write("volume_trouble", error="it hangs")
    assert await events.flush()
    assert not (tmp_path / "events.jsonl").exists()
    clock.go_on(clock.utc() - timedelta(hours=1))
    events.release()
    events.write("bot_started")
    await events.close()
    first, second = lines(tmp_path / "events.jsonl")
    assert [first["event"], second["event"]] == ["volume_trouble", "bot_started"]
    assert first["error"] == "it hangs"
    assert 3600 <= float(str(first["t"])) <= float(str(second["t"]))


async def test_what_was_kept_back_is_not_lost_when_the_clock_never_went_on(tmp_path: Path) -> None:
    events = EventLog(tmp_path / "events.jsonl", SessionClock())
    events.hold()
    events.write("volume_trouble")
    await events.close()
    assert [line["event"] for line in lines(tmp_path / "events.jsonl")] == ["volume_trouble"]
