"""A table for synthetic pages: lobby, call, refusals, each told by one plain sign."""

from __future__ import annotations

from typing import Any

from meeting_buddy.contract.table import PlatformTable

_SOURCE = "synthetic 2026-11-23"
_OWN, _LEAVE = {"css": "#own"}, {"css": "#leave"}


def synthetic_table(**patience: float) -> PlatformTable:
    """The table; `patience` overrides the deadlines (seconds)."""

    def step(name: str, css: str, do: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "when": {"all": [{"css": css}]}, "do": do, "target": css, "source": _SOURCE, **more}

    return PlatformTable.model_validate(
        {
            "platform": "LiveKit",
            "checked": "2026-11-23",
            "source": _SOURCE,
            "links": {"add_query": {"lang": "en"}},
            "patience": {"load": 5, "join": 10, "missing": 3, "reconnect": 10, **patience},
            "steps": [
                step("cookies", "#cookies", "dismiss", max=1),
                step("name", "#name:not(.typed)", "type", value="{bot_name}", max=1),
                step("join", "#join", "click"),
            ],
            "signals": [
                {
                    "state": "ended",
                    "reason": "MeetingEnded",
                    "after_join": True,
                    "all": [{"text": "The meeting has ended"}],
                    "source": _SOURCE,
                },
                {
                    "state": "refused",
                    "reason": "EntryDenied",
                    "all": [{"text": "You can't come in"}],
                    "source": _SOURCE,
                },
                {
                    "state": "refused",
                    "reason": "PasscodeWrong",
                    "all": [{"alert": "wrong passcode"}],
                    "source": _SOURCE,
                },
                {"state": "lobby", "waiting": "NotStarted", "all": [{"text": "has not started"}], "source": _SOURCE},
                {"state": "lobby", "waiting": "WaitingRoom", "all": [{"text": "let you in soon"}], "source": _SOURCE},
                {"state": "reconnecting", "after_join": True, "all": [{"text": "Reconnecting"}], "source": _SOURCE},
                {"state": "in_call", "all": [_OWN, _LEAVE], "hold": 0.3, "source": _SOURCE},
                {"state": "pre_join", "any": [{"css": "#join"}, {"css": "#name"}], "source": _SOURCE},
            ],
            "leave": [step("leave", "#leave", "click")],
            "people": {"tile": ".tile", "name": ".who", "own_tile": "#own", "speaking": ".speaks", "source": _SOURCE},
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
<input id=name type=text oninput="this.className = 'typed'">
<button id=join onclick="this.remove(); %THEN%">Join</button>
<template id=call>{CALL}</template>{_ENTER}"""


def join_page(then: str = "enter()") -> str:
    """A page with a name to type and a button; pressing it runs `then` (JavaScript; `enter()` shows the call)."""
    return JOIN.replace("%THEN%", then)


def says(text: str) -> str:
    """JavaScript that replaces the page by a sentence."""
    return f"document.body.textContent = `{text}`"
