"""The meeting's tab over raw CDP: reads every frame in an isolated world, hears dialogs and the console, sees it crash.

The isolated world shares the page's document and none of its variables: the page can neither see nor fake what runs
there. The browser makes one in each new document and says so; frames of other sites come as sessions of their own.
"""

import asyncio
import base64
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from meeting_buddy.contract.text import MAX_LINE, page_text
from meeting_buddy_bot.browser.cdp import Cdp, Params
from meeting_buddy_bot.browser.errors import BrowserGoneError, CdpError, NavigationError, PageTimeoutError

WORLD: Final = "meeting-buddy"
"""Name of the isolated world."""

_MOST_LINES: Final = 200
_RAW_LINE: Final = 8 * MAX_LINE  # of a line that is megabytes long, no more is looked at
_MAX_HOST: Final = 253
_INTERRUPTED_SECONDS: Final = 0.2  # until a load that a change of the network interrupted is begun again
_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){0,2}")

_PREPARATIONS: Final[tuple[tuple[str, Params], ...]] = (
    ("Page.enable", {}),
    ("Runtime.enable", {}),
    ("Inspector.enable", {}),
    # An empty script in a named world: the browser makes the world for it in each new document, and in this one.
    ("Page.addScriptToEvaluateOnNewDocument", {"source": ";", "worldName": WORLD, "runImmediately": True}),
    ("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}),
)
"""What a session, of the tab or of a frame of another site, is asked first."""


def mask_tokens(text: str) -> str:
    """``text`` without JSON web tokens: pages put them into error messages."""
    return _JWT.sub("[token]", text)


def page_line(text: str) -> str:
    """One line of what the page said, fit to be kept, tokens masked before it is cut."""
    return page_text(mask_tokens(text[:_RAW_LINE]), MAX_LINE)


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """What an expression gave in one frame."""

    top: bool
    value: Any


@dataclass(frozen=True, slots=True)
class _Context:
    session: str
    number: int
    frame: str


class Page:
    """One tab."""

    def __init__(self, cdp: Cdp, target: str, session: str) -> None:
        self._cdp = cdp
        self._target = target
        self._session = session
        self._sessions = {session}
        self._contexts: dict[tuple[str, int], _Context] = {}
        self.alerts: deque[str] = deque(maxlen=_MOST_LINES)
        """Texts of dialogs since :meth:`navigate`, tokens masked."""
        self.console: deque[str] = deque(maxlen=_MOST_LINES)
        """Lines of the console since :meth:`navigate`, tokens masked."""
        self.gone = asyncio.Event()
        """Set once the tab has crashed or was closed."""
        self.on_host: Callable[[str], None] = lambda host: None
        """Called with the host of each document that the tab loads."""
        self.on_alert: Callable[[str], None] = lambda text: None

    @classmethod
    async def attach(cls, cdp: Cdp) -> Self:
        """Attach to the browser's only tab.

        Raises:
            BrowserGoneError: there is none, or the browser is gone.
        """
        targets = (await cdp.call("Target.getTargets"))["targetInfos"]
        tabs = [each["targetId"] for each in targets if each["type"] == "page"]
        if not tabs:
            raise BrowserGoneError("the browser has no tab")
        answer = await cdp.call("Target.attachToTarget", {"targetId": tabs[0], "flatten": True})
        page = cls(cdp, tabs[0], answer["sessionId"])
        page._listen()
        await cdp.call("Target.setDiscoverTargets", {"discover": True})
        for method, params in _PREPARATIONS:
            await cdp.call(method, params, session=page._session)
        return page

    async def navigate(self, url: str, seconds: float = 30.0) -> None:
        """Load ``url``; returns when its document begins to arrive, ``seconds`` later at the latest.

        Raises:
            NavigationError: Chromium could not load it.
            CdpError: Chromium did not try: the tab is just being replaced, or closed.
            PageTimeoutError, BrowserGoneError: as :meth:`evaluate`.
        """
        self.alerts.clear()
        self.console.clear()
        deadline = time.monotonic() + seconds
        while True:
            answer = await self._call("Page.navigate", {"url": url}, seconds=deadline - time.monotonic())
            error = str(answer.get("errorText", "")).removeprefix("net::")
            if not error:
                return
            # Chromium gives up a load when an interface of its host comes or goes; nothing is wrong with the page.
            if error != "ERR_NETWORK_CHANGED" or time.monotonic() + _INTERRUPTED_SECONDS > deadline:
                raise NavigationError(error)
            await asyncio.sleep(_INTERRUPTED_SECONDS)

    async def evaluate(self, expression: str, seconds: float = 3.0) -> list[FrameAnswer]:
        """Value of ``expression`` in each frame, the top one first; a frame that is being replaced is left out.

        Raises:
            PageTimeoutError: the top frame did not answer within ``seconds``; others that do not are left out.
            BrowserGoneError: tab or browser is gone.
        """
        contexts = sorted(self._contexts.values(), key=lambda each: each.frame != self._target)
        answers = await asyncio.gather(
            *(self._evaluate_in(each, expression, seconds) for each in contexts), return_exceptions=True
        )
        found = []
        for context, answer in zip(contexts, answers, strict=True):
            top = context.frame == self._target
            if isinstance(answer, BrowserGoneError) or (top and isinstance(answer, PageTimeoutError)):
                raise answer
            if isinstance(answer, CdpError | PageTimeoutError):
                continue  # its document has just been replaced, or it hangs
            if isinstance(answer, BaseException):
                raise answer
            found.append(FrameAnswer(top, answer))
        return found

    async def screenshot(self, seconds: float = 10.0) -> bytes:
        """The visible page as PNG; raises as :meth:`evaluate`, and ``CdpError`` when there is nothing to see."""
        answer = await self._call("Page.captureScreenshot", {"format": "png"}, seconds=seconds)
        return base64.b64decode(answer["data"])

    async def _evaluate_in(self, context: _Context, expression: str, seconds: float) -> Any:
        answer = await self._call(
            "Runtime.evaluate",
            {
                "expression": expression,
                "contextId": context.number,
                "returnByValue": True,
                # Ends the script itself: a selector over a monstrous document must not occupy the page for longer.
                "timeout": int(seconds * 1000),
            },
            session=context.session,
            seconds=seconds,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise CdpError(page_line(str(details.get("exception", {}).get("description", details.get("text", "")))))
        return answer["result"].get("value")

    async def _call(self, method: str, params: Params, *, seconds: float, session: str | None = None) -> Params:
        if self.gone.is_set():
            raise BrowserGoneError("the tab has crashed")
        call = asyncio.ensure_future(self._cdp.call(method, params, session=session or self._session, seconds=seconds))
        gone = asyncio.ensure_future(self.gone.wait())
        try:
            # A crashed tab answers nothing more: do not wait for the deadline.
            await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise BrowserGoneError("the tab has crashed")
            return call.result()
        finally:
            call.cancel()
            gone.cancel()

    def _listen(self) -> None:
        def ours(handler: Callable[[Params, str], None]) -> Callable[[Params, str | None], None]:
            def handle(params: Params, session: str | None) -> None:
                if session is not None and session in self._sessions:
                    handler(params, session)

            return handle

        on = self._cdp.on
        on("Runtime.executionContextCreated", ours(self._context_created))
        on("Runtime.executionContextDestroyed", ours(self._context_destroyed))
        on("Runtime.executionContextsCleared", ours(self._contexts_cleared))
        on("Runtime.consoleAPICalled", ours(self._console))
        on("Page.javascriptDialogOpening", ours(self._dialog))
        on("Page.frameNavigated", ours(self._navigated))
        on("Inspector.targetCrashed", ours(self._crashed))
        on("Target.attachedToTarget", ours(self._attached))
        on("Target.detachedFromTarget", lambda params, _: self._detached(params))
        on("Target.targetDestroyed", lambda params, _: self._destroyed(params))
        on("Target.targetCrashed", lambda params, _: self._destroyed(params))

    def _context_created(self, params: Params, session: str) -> None:
        context = params["context"]
        frame = context.get("auxData", {}).get("frameId")
        if context.get("name") == WORLD and frame:
            self._contexts[session, context["id"]] = _Context(session, context["id"], frame)

    def _context_destroyed(self, params: Params, session: str) -> None:
        self._contexts.pop((session, params["executionContextId"]), None)

    def _contexts_cleared(self, _: Params, session: str) -> None:
        self._contexts = {key: each for key, each in self._contexts.items() if each.session != session}

    def _console(self, params: Params, _: str) -> None:
        self.console.append(page_line(console_line(params.get("args", []))))

    def _dialog(self, params: Params, session: str) -> None:
        text = page_line(str(params.get("message", "")))
        # An open dialog stops the page's scripts, the call's media with them. Accept: a "leave this page?" is ours.
        self._cdp.send("Page.handleJavaScriptDialog", {"accept": True}, session=session)
        self.alerts.append(text)
        self.on_alert(text)

    def _navigated(self, params: Params, _: str) -> None:
        frame = params["frame"]
        if frame["id"] == self._target:
            self.on_host(page_text(urlsplit(frame["url"]).hostname or "", _MAX_HOST))

    def _crashed(self, _: Params, session: str) -> None:
        if session == self._session:
            self.gone.set()

    def _attached(self, params: Params, _: str) -> None:
        session, kind = params["sessionId"], params["targetInfo"]["type"]
        if kind != "iframe" or session in self._sessions:
            return  # workers have no document
        self._sessions.add(session)
        for method, arguments in _PREPARATIONS:
            self._cdp.send(method, arguments, session=session)

    def _detached(self, params: Params) -> None:
        session = params["sessionId"]
        self._sessions.discard(session)
        self._contexts_cleared({}, session)
        if session == self._session:
            self.gone.set()

    def _destroyed(self, params: Params) -> None:
        if params["targetId"] == self._target:
            self.gone.set()


def console_line(arguments: list[Params]) -> str:
    """One line of what was logged: texts as they are, properties of objects as ``name=value``, one level deep."""
    parts: list[str] = []
    for argument in arguments[:10]:
        preview = argument.get("preview")
        if preview is not None and argument.get("subtype") != "error":
            parts += (
                f"{each['name']}={each.get('value', each['type'])}" for each in preview.get("properties", ())[:20]
            )
        elif "value" in argument:
            parts.append(str(argument["value"]))
        else:
            parts.append(str(argument.get("description", argument.get("type", ""))))
    return " ".join(part[:_RAW_LINE] for part in parts)
