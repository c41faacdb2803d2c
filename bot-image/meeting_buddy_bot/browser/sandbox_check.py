"""What the browser really is: its own account of its sandbox, and how old its build is."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

from meeting_buddy_bot.browser.cdp import Cdp
from meeting_buddy_bot.browser.chromium import BINARY
from meeting_buddy_bot.browser.errors import BrowserError

_DAY: Final = 86400
_TEXT: Final = "document.body ? document.body.innerText : ''"


async def read_sandbox(cdp: Cdp, seconds: float = 10.0) -> str | None:
    """``seccomp``: both layers are on (namespaces, seccomp-BPF); ``none``: not both; ``None``: it does not say.

    Asked in a tab of its own, which is closed again.
    """
    target = None
    try:
        async with asyncio.timeout(seconds):
            target = (await cdp.call("Target.createTarget", {"url": "chrome://sandbox", "background": True}))[
                "targetId"
            ]
            session = (await cdp.call("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
            while True:
                answer = await cdp.call("Runtime.evaluate", {"expression": _TEXT}, session=session)
                if (verdict := judge_sandbox(str(answer["result"].get("value", "")))) is not None:
                    return verdict
                await asyncio.sleep(0.05)  # the page fills itself in
    except (BrowserError, TimeoutError, KeyError):
        return None
    finally:
        if target is not None:
            with contextlib.suppress(BrowserError):
                await cdp.call("Target.closeTarget", {"targetId": target})


def judge_sandbox(text: str) -> str | None:
    """Verdict on the text of ``chrome://sandbox``; ``None`` while it is incomplete."""
    rows = dict(line.rsplit(None, 1) for line in text.splitlines() if len(line.split()) > 1)
    if "adequately sandboxed" not in text and "NOT adequately" not in text:
        return None
    layers = rows.get("Layer 1 Sandbox") in ("Namespace", "SUID") and rows.get("Seccomp-BPF sandbox") == "Yes"
    return "seccomp" if layers and "You are adequately sandboxed" in text else "none"


def build_age_days(binary: Path = Path(BINARY), now: float | None = None) -> int | None:
    """Days since Chromium was packaged; platforms refuse browsers that are some weeks old.

    From the program's modification time: Debian's builds are reproducible and carry the time of the package's
    changelog, and image layers keep it. The bot's image is the browser's image. ``None`` without the program.
    """
    try:
        built = binary.stat().st_mtime
    except OSError:
        return None
    return max(0, int(((time.time() if now is None else now) - built) // _DAY))
