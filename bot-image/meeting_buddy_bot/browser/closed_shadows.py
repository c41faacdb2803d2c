"""What closed shadow roots show: no script of ours reaches into them, but a snapshot of the whole document does.

Zoom's bot wall was seen inside one. A snapshot costs much more than a look of the probe: take one when that
saw nothing.
"""

from meeting_buddy_bot.browser.cdp import Params
from meeting_buddy_bot.browser.page import Page


async def read_closed_text(page: Page, seconds: float) -> str:
    """The rendered text inside all closed shadow roots of the page's own process; raises as :meth:`Page.call`."""
    return closed_text(await page.call("DOMSnapshot.captureSnapshot", {"computedStyles": []}, seconds=seconds))


def closed_text(snapshot: Params) -> str:
    """The text in an answer of ``DOMSnapshot.captureSnapshot`` that lies inside closed shadow roots."""
    strings: list[str] = snapshot["strings"]
    found: list[str] = []
    for document in snapshot["documents"]:
        nodes, layout = document["nodes"], document["layout"]
        parents: list[int] = nodes["parentIndex"]
        kinds = nodes.get("shadowRootType", {"index": [], "value": []})
        closed = {
            index for index, kind in zip(kinds["index"], kinds["value"], strict=True) if strings[kind] == "closed"
        }
        if not closed:
            continue
        # A parent's index is smaller than its children's, so one pass reaches every depth.
        inside = [False] * len(parents)
        for index, parent in enumerate(parents):
            inside[index] = index in closed or (parent >= 0 and inside[parent])
        found += (
            strings[text]
            for node, text in zip(layout["nodeIndex"], layout["text"], strict=True)
            if text >= 0 and inside[node]
        )
    return " ".join(found)
