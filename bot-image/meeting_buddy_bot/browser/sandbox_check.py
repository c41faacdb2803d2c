"""What the browser really is: its own account of its sandbox, and how old its build is."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

from meeting_buddy_bot.browser.chromium import BINARY
from meeting_buddy_bot.browser.errors import BrowserError
from meeting_buddy_bot.browser.page import Page

_DAY: Final = 86400
_TEXT: Final = "document.body ? document.body.innerText : ''"


async def read_sandbox(page: Page, seconds: float = 10.0) -> str | None:
    """``seccomp``: both layers are on (namespaces, seccomp-BPF); ``none``: not both; ``None``: it does not say.

    Asked in the meeting's own tab, before its page is opened: with a second tab, Chromium now and then takes the first
    one for hidden ever after.
    """
    try:
        async with asyncio.timeout(seconds):
            await page.navigate("chrome://sandbox", seconds)
            while True:
                answer = await page.call("Runtime.evaluate", {"expression": _TEXT}, seconds=seconds)
                if (verdict := judge_sandbox(str(answer["result"].get("value", "")))) is not None:
                    return verdict
                await asyncio.sleep(0.05)  # the page fills itself in
    except (BrowserError, TimeoutError, KeyError):
        return None
    finally:
        with contextlib.suppress(BrowserError):
            await page.navigate("about:blank", seconds)


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
