"""A table for synthetic pages: lobby, call, refusals, each told by one plain sign."""

from __future__ import annotations

from typing import Any

from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.table_reader import load_table

_SOURCE = "synthetic 2026-11-23"


def synthetic_table(**timeouts: float) -> PlatformTable:
    """The table; `timeouts` overrides the deadlines (seconds), which are long enough for a busy machine."""

    def found(**how: Any) -> list[dict[str, Any]]:
        return [{**how, "source": _SOURCE}]

    def step(name: str, do: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "do": do, "target": f"{name} {'field' if do == 'type' else 'button'}", **more}

    return load_table(
        {
            "tableVersion": 1,
            "platform": "LiveKit",
            "selfHosted": {"httpName": "livekit", "links": [{"path": "/rooms/{id}"}]},
            "checked": "2026-11-23",
            "source": _SOURCE,
            "url": {"query": {"lang": "en"}},
            "timeouts": {"load": 20, "join": 40, "missing": 3, "reconnect": 20, "rejoin": 60, **timeouts},
            "elements": {
                "cookies button": found(css="#cookies"),
                "name field": found(css="#name"),
                "passcode field": found(css="#passcode"),
                "notice button": found(css="#notice"),
                "join button": found(css="#join"),
                "own tile": found(css="#own"),
                "leave button": found(css="#leave"),
                "ended words": found(text="The meeting has ended"),
                "refused words": found(text="You can't come in"),
                "wrong passcode words": found(text="That was not the passcode"),
                "not started words": found(text="has not started"),
                "lobby words": found(text="let you in soon"),
                "reconnecting words": found(text="Reconnecting"),
            },
            "steps": [
                step("cookies", "click", maxRuns=1),
                step("notice", "click", inCall=True),
                step("name", "type", value="{botName}", maxRuns=1),
                step("passcode", "type", value="{passcode}", maxRuns=1),
                step("join", "click"),
            ],
            "signals": [
                {"state": "ended", "reason": "MeetingEnded", "afterJoin": True, "all": ["ended words"]},
                {"state": "refused", "reason": "EntryDenied", "all": ["refused words"]},
                {
                    "state": "refused",
                    "reason": "PasscodeWrong",
                    "all": [{"dialog": "wrong passcode"}],
                    "source": _SOURCE,
                },
                {"state": "refused", "reason": "PasscodeWrong", "all": ["wrong passcode words"]},
                {"state": "lobby", "waiting": "NotStarted", "all": ["not started words"]},
                {"state": "lobby", "waiting": "WaitingRoom", "all": ["lobby words"]},
                {"state": "reconnecting", "afterJoin": True, "all": ["reconnecting words"]},
                {"state": "inCall", "all": ["own tile", "leave button"], "stableFor": 0.3},
                {"state": "preJoin", "any": ["join button", "name field"]},
            ],
            "leave": [step("leave", "click")],
            "participants": {
                "tile": found(css=".tile", visible=False),
                "name": [{"css": ".who"}],
                "own": [{"css": "#own"}],
                "speaking": [{"css": ".speaks"}],
                "source": _SOURCE,
            },
            "media": {"audio": "audio", "video": "video", "source": _SOURCE},
        }
    )


CALL = """
<div id=own class=tile><span class=who>Meeting Buddy</span></div>
<div class=tile><span class=who>Ada Lovelace</span></div>
<button id=leave onclick="document.body.innerHTML = 'The meeting has ended'">Leave</button>"""

_ENTER = "<script>const enter = () => { document.body.innerHTML = document.querySelector('#call').innerHTML }</script>"

JOIN = f"""
<div id=cookies onclick="this.remove()">Cookies!</div>
<input id=name type=text>
<button id=join onclick="this.remove(); %THEN%">Join</button>
<template id=call>{CALL}</template>{_ENTER}"""


def join_page(then: str = "enter()") -> str:
    """A page with a name to type and a button; pressing it runs `then` (JavaScript; `enter()` shows the call)."""
    return JOIN.replace("%THEN%", then)


def says(text: str) -> str:
    """JavaScript that replaces the page by a sentence."""
    return f"document.body.textContent = `{text}`"
