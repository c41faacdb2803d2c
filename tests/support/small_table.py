"""The smallest table that makes sense, as a person would write it, for tests that change a part of it."""

from __future__ import annotations

from typing import Any

SOURCE = "seen 2026-11-23: synthetic"


def raw_table() -> dict[str, Any]:
    """The document."""
    return {
        "tableVersion": 1,
        "platform": "LiveKit",
        "selfHosted": {"httpName": "livekit", "links": [{"path": "/rooms/{id}"}]},
        "checked": "2026-11-23",
        "source": SOURCE,
        "elements": {
            "join button": [
                {"css": "#join", "source": SOURCE},
                {"role": "button", "name": "Join", "within": "form", "source": SOURCE},
            ],
            "form": [{"css": "form", "source": SOURCE}],
            "own tile": [{"css": "#own", "source": SOURCE}],
            "leave button": [{"css": "#leave", "source": SOURCE}],
        },
        "steps": [{"name": "join", "do": "click", "target": "join button"}],
        "signals": [{"state": "inCall", "all": ["own tile", "leave button"]}],
        "leave": [],
        "participants": {"tile": [{"css": ".tile", "source": SOURCE}], "name": [{"css": ".name"}], "source": SOURCE},
        "media": {"audio": "audio", "video": "video", "source": SOURCE},
    }
