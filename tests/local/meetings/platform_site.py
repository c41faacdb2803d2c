"""Serves a page pack under the platform's real host names, over HTTPS, on a loopback address.

Nothing of this leaves the machine: who shall see it is given the names' address (`hosts`) and the authority, as a bot
class gives both to a pod.
"""

from __future__ import annotations

import asyncio
import html
import importlib
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web

from tests.local.clone import REPOSITORY
from tests.local.machine.certificates import Authority, Subject
from tests.local.meetings import packs

_MARK = "<!-- {origin}; written for tests, seen on no real site -->"
_SPEECH = REPOSITORY / "tests" / "speech" / "en" / "jfk.wav"


@dataclass(frozen=True, slots=True)
class Options:
    """How a page behaves besides its scenario."""

    late: float = 0.0
    """Seconds until the document shows anything."""
    hang: str | None = None
    """State after which the page's scripts never return."""
    hang_after: float = 0.7
    """Seconds that this state is shown until then."""
    still: bool = False
    """Nothing is drawn anew."""
    language: str = "en"
    media: bool = False
    """The page plays speech and a picture."""
    people: tuple[str, ...] = ("Meeting Buddy", "Ada Lovelace", "Grace Hopper")
    speaking: bool = True


@dataclass(slots=True)
class _Meeting:
    states: list[str]
    scenario: list[list[Any]]
    variant: int
    options: Options
    passcode: str
    requests: list[str] = field(default_factory=list)


class PlatformSite:
    """One pack's site; `meeting` and `at` make meetings, each with a link of its own."""

    def __init__(self, name: str, authority: Authority, address: str, port: int = 443) -> None:
        self.pack = packs.load(name)
        self.port = port
        self._name = name
        self._authority = authority
        self._address = address
        self._meetings: dict[str, _Meeting] = {}
        self._runner: web.AppRunner | None = None

    @property
    def hosts(self) -> dict[str, str]:
        """Address of each host of the platform."""
        return dict.fromkeys(self.pack.hosts, self._address)

    def meeting(
        self, scenario: str = "meeting", *, variant: int = 0, passcode: str = "s3cretPass", **options: Any
    ) -> str:
        """Link of a new meeting in which this scenario follows Join.

        Raises:
            ValueError: there is no such scenario; the message lists those that there are.
        """
        if scenario not in self.pack.scenarios:
            raise ValueError(f"there is no scenario {scenario}; there are {', '.join(self.pack.scenarios)}")
        steps = [list(step) for step in self.pack.scenarios[scenario]]
        return self._add(_Meeting([*self.pack.start], steps, variant, Options(**options), passcode))

    def at(self, state: str, *, variant: int = 0, passcode: str = "s3cretPass", **options: Any) -> str:
        """Link of a new meeting that shows this state and no other.

        Raises:
            ValueError: there is no such state; the message lists those that there are.
        """
        if state not in self.pack.states:
            raise ValueError(f"there is no state {state}; there are {', '.join(self.pack.states)}")
        return self._add(_Meeting([state], [], variant, Options(**options), passcode))

    def stop_hanging(self, link: str) -> None:
        """From the next time that the meeting's page is loaded on, its scripts return."""
        meeting = self._meetings[self._id_in(link)]
        meeting.options = replace(meeting.options, hang=None)

    def address_of(self, link: str, state: str) -> str:
        """Address of a state's document, which may lie elsewhere than the link leads to."""
        path = self.pack.states[state].path
        parts = urlsplit(link)
        return link if path is None else f"{parts.scheme}://{parts.netloc}{path}?pack={self._id_in(link)}"

    def _add(self, meeting: _Meeting) -> str:
        number = self.pack.ids.format(number=len(self._meetings) + 10)
        self._meetings[number] = meeting
        return self.pack.link.format(id=number, passcode=meeting.passcode)

    def _id_in(self, address: str) -> str:
        return max((number for number in self._meetings if number in address), key=len, default="")

    async def __aenter__(self) -> Self:
        self._runner = await serve([self], self._authority, self._address, self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def application(self) -> web.Application:
        """What answers for the platform's hosts."""
        if self._builder.is_file():
            await asyncio.to_thread(self._bundle)
        application = web.Application()
        application.router.add_get("/pack/speech", self._speech)
        application.router.add_get("/pack/never", self._never)
        application.router.add_get("/pack/{file:(runtime|page|bundle)\\.js}", self._script)
        application.router.add_get("/{path:.*}", self._document)
        return application

    async def _document(self, request: web.Request) -> web.Response:
        address = str(request.url)
        number = self._id_in(address) or self._id_in(request.headers.get("Referer", ""))
        meeting = self._meetings.get(number)
        if meeting is None:
            return web.Response(status=404, text="no such meeting")
        meeting.requests.append(request.path)
        frame = next((name for name, where in self.pack.frames.items() if urlsplit(where).path == request.path), None)
        first = self.pack.states[meeting.states[0]]
        config = {
            "states": meeting.states,
            "scenario": meeting.scenario,
            "left": self.pack.left,
            "variant": meeting.variant,
            "people": meeting.options.people,
            "speaking": meeting.options.speaking,
            "media": meeting.options.media,
            "options": {
                "late": meeting.options.late,
                "hang": meeting.options.hang,
                "hangAfter": meeting.options.hang_after,
                "still": meeting.options.still,
            },
            "frame": frame,
            "frames": {name: f"{where}?pack={number}" for name, where in self.pack.frames.items()},
            "expected": meeting.passcode,
            "documents": {name: {"title": state.title, "path": state.path} for name, state in self.pack.states.items()},
        }
        text = (
            f"<!doctype html>{_MARK.format(origin=self.pack.origin)}<html lang={meeting.options.language}>"
            f"<head><meta charset=utf-8><title>{html.escape(first.title)}</title>"
            f'<meta name=pack content="{html.escape(json.dumps(config))}">'
            f'{self._bundle_tag()}<script type=module src="/pack/runtime.js"></script></head>'
            "<body><div id=root></div></body></html>"
        )
        return web.Response(text=text, content_type="text/html", headers=self.pack.headers)

    def _bundle_tag(self) -> str:
        return '<script type=module src="/pack/bundle.js"></script>' if self._builder.is_file() else ""

    @property
    def _builder(self) -> Path:
        return packs.FOLDER / self._name / "build.py"

    def _bundle(self) -> Path:
        """The script with the pack's components; built at the first call on a machine."""
        found: Path = importlib.import_module(f"tests.local.meetings.packs.{self._name}.build").bundle()
        return found

    async def _script(self, request: web.Request) -> web.Response:
        file = request.match_info["file"]
        if file == "bundle.js":
            path = await asyncio.to_thread(self._bundle)
        else:
            path = packs.FOLDER / file if file == "runtime.js" else packs.FOLDER / self._name / file
        return web.Response(text=path.read_text(), content_type="text/javascript")

    async def _never(self, _: web.Request) -> web.Response:
        await asyncio.Event().wait()  # until the page, or the site, is gone
        raise AssertionError("nobody sets it")

    async def _speech(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(_SPEECH)


async def serve(sites: Sequence[PlatformSite], authority: Authority, address: str, port: int = 443) -> web.AppRunner:
    """Serve all of them on one address, each under its platform's hosts; the caller cleans the runner up."""
    root = web.Application()
    hosts = [host for site in sites for host in site.pack.hosts]
    for site in sites:
        for host in site.pack.hosts:
            root.add_domain(host, await site.application())
    runner = web.AppRunner(root, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    name = "pack-" + "-".join(site.pack.platform.lower() for site in sites)
    pair = authority.issue(name, Subject(name, dns=tuple(hosts)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    await web.TCPSite(runner, address, port, ssl_context=context).start()
    return runner
