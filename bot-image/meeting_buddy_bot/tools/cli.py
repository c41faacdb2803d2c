"""Commands and their exit codes: 0 done, or all agree; 1 a page is seen differently; 2 what was given is unusable.

128 and the signal's number where one ended it.

What a command needs is imported when it runs: the recordings reader must not carry a browser's driver in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from meeting_buddy.contract import reader
from meeting_buddy.contract.assignment import RECORDINGS
from meeting_buddy.contract.links import PLATFORM_NAME, Platform, PlatformName
from meeting_buddy_bot.tools.errors import ToolError

if TYPE_CHECKING:
    from meeting_buddy_bot.tools.page_pack import PackState
    from meeting_buddy_bot.tools.table_check import PageResult
    from meeting_buddy_bot.tools.verdict import Verdict

OK, DIFFERS, UNUSABLE, SIGNALLED = 0, 1, 2, 128

Result = TypeVar("Result")

_PROGRAM: Final = "python -m meeting_buddy_bot"
_LOOK_OVER: Final = """\
Links' queries, tokens, what was typed and the names of participants were taken out, and screenshots were not copied.
No program knows all that a page can say (chat, captions, titles, file names): look the files over before you send them.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command in ``arguments``; returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except (ToolError, OSError) as error:
        sys.stderr.write(f"{_PROGRAM}: {error}\n")
        return UNUSABLE
    except _SignalledError as error:
        return SIGNALLED + error.number
    return code


class _SignalledError(Exception):
    """A signal has ended the command, which has cleaned up."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


async def _until_signal(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of ``work``, which SIGTERM and SIGHUP cancel: it must end the processes that it has started.

    Raises:
        _SignalledError: one of them came first.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not received:  # another one must not interrupt the cleaning up
            task.cancel()
        received.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise _SignalledError(received[0]) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Without a command: the bot itself, as in its pod. With one: a tool for its platform tables, or "
        "the reader of the recordings that bots have made, or the finisher of one.",
        epilog="COMMAND --help has an example",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    pack = _command(
        commands,
        "pack",
        "make a page pack from what a session saved of its pages",
        "pack /recordings/meetings/mbsess_0123 /tmp/zoom-pack",
    )
    pack.add_argument("session", type=Path, metavar="SESSION_FOLDER", help="the session's folder, with debug/ in it")
    pack.add_argument("out", type=Path, metavar="OUT", help="folder for the pack, empty or not there yet")
    pack.add_argument(
        "--platform",
        type=_platform,
        metavar="NAME",
        help=f"such as LiveKit; needed where the pages' hosts are none of {', '.join(Platform)}'s",
    )
    pack.set_defaults(run=_run_pack)

    table = commands.add_parser("table", help="try out a platform's table").add_subparsers(
        required=True, metavar="COMMAND"
    )
    checking = _command(
        table,
        "check",
        "show what a table makes of each page of a pack; exit code 1 when that is not what the pack expects, 2 when "
        "table or pack cannot be used",
        "table check zoom.yaml /tmp/zoom-pack",
    )
    checking.add_argument(
        "table", metavar="TABLE", help="a YAML file: a whole table or an override; or built-in, for the built-in one"
    )
    checking.add_argument("pack", type=Path, metavar="PACK", help="folder with pack.yaml and <state>.html")
    checking.add_argument("--json", action="store_true", help="one JSON document instead of text")
    checking.set_defaults(run=_run_check)
    _add_recordings(commands)
    finishing = _command(
        commands,
        "finish",
        "make verified files of what a bot left that was killed, as its pod's assignment says, and report it",
        "finish",
    )
    finishing.set_defaults(run=_run_finish)
    return parser


def _add_recordings(commands: Any) -> None:
    recordings = commands.add_parser("recordings", help="hand out recordings").add_subparsers(
        required=True, metavar="COMMAND"
    )
    serving = _command(
        recordings,
        "serve",
        "hand out the recordings in a folder over HTTP, to requests that the HTTP API has signed, until SIGTERM",
        "recordings serve --folder /recordings --key-file /etc/meeting-buddy/reader-key/key",
    )
    serving.add_argument(
        "--folder",
        type=Path,
        default=Path(RECORDINGS),
        metavar="FOLDER",
        help="the namespace's folder of the volume, with one folder per session (%(default)s)",
    )
    serving.add_argument(
        "--key-file",
        type=Path,
        default=Path("/etc/meeting-buddy/reader-key") / reader.KEY_ITEM,
        metavar="FILE",
        help="item of the Secret with the key, 32 bytes; read again for each request (%(default)s)",
    )
    serving.add_argument("--host", metavar="ADDRESS", help="address to listen on (all)")
    serving.add_argument("--port", type=int, default=reader.PORT, metavar="PORT", help="port (%(default)s)")
    serving.set_defaults(run=_run_serve)


def _platform(given: str) -> PlatformName:
    if not PLATFORM_NAME.match(given):
        raise argparse.ArgumentTypeError(f"{given!r} is no platform's name")
    return given


def _command(commands: Any, name: str, what: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=f"example: {_PROGRAM} {example}"
    )
    return parser


def _run_finish(_: argparse.Namespace) -> int:
    from meeting_buddy_bot.finishing.finisher import Finisher
    from meeting_buddy_bot.support.settings import Settings

    return asyncio.run(Finisher(Settings.from_environment()).run())


def _run_serve(given: argparse.Namespace) -> int:
    from meeting_buddy_bot.recordings.process import serve

    serve(given.folder, given.key_file, given.host, given.port)
    return OK


def _run_pack(given: argparse.Namespace) -> int:
    from meeting_buddy_bot.tools.make_pack import make_pack
    from meeting_buddy_bot.tools.page_pack import PACK_FILE

    made = make_pack(given.session, given.out, given.platform, datetime.now(UTC).date())
    states = made.pack.states
    lines = [f"Wrote {made.folder}/{PACK_FILE} ({made.pack.platform}, {', '.join(made.pack.hosts)}) and"]
    lines += [f"  {name}.html, from {state.file}: {_expectation(state)}" for name, state in states.items()]
    sys.stdout.write("\n".join(lines) + f"\n\n{_LOOK_OVER}")
    return OK


def _run_check(given: argparse.Namespace) -> int:
    from meeting_buddy.contract.table import table_hash
    from meeting_buddy_bot.tools.page_pack import read_pack
    from meeting_buddy_bot.tools.table_check import all_agree, check, read_table

    pack = read_pack(given.pack)
    found = read_table(given.table, pack.pack.platform)
    if found.stale:
        sys.stderr.write(f"{given.table} was written for another version of the built-in table (tableHash)\n")
    results = asyncio.run(_until_signal(check(found.table, pack)))
    if given.json:
        document = {
            "platform": pack.pack.platform,
            "tableHash": table_hash(found.table),
            "agrees": all_agree(results),
            "pages": [_as_json(result) for result in results],
        }
        sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(_as_text(result) for result in results))
        wrong = [result.name for result in results if not result.agrees]
        verdict = f"seen differently: {', '.join(wrong)}" if wrong else "all agree"
        sys.stdout.write(f"{len(results)} pages, {verdict}\n")
    return OK if all_agree(results) else DIFFERS


def _as_text(result: PageResult) -> str:
    lines = [f"{'agrees ' if result.agrees else 'DIFFERS'}  {result.name}: {_sight(result.seen)}"]
    if not result.agrees:
        lines.append(f"         expected: {_expectation(result.expected)}")
    lines.append(f"         evidence: {', '.join(result.evidence) or 'none'}")
    lines += [f"         Chromium does not take the selector {css}" for css in result.bad_selectors]
    lines += [f"         not shown, for the page has no place for it: frame {each}" for each in result.frames_left_out]
    return "\n".join(lines) + "\n"


def _as_json(result: PageResult) -> dict[str, Any]:
    expected = result.expected
    return {
        "page": result.name,
        "agrees": result.agrees,
        "seen": result.seen._asdict(),
        "expected": {
            "state": expected.shows,
            "reason": expected.reason,
            "waiting": expected.waiting,
            "step": expected.step,
        },
        "evidence": result.evidence,
        "badSelectors": result.bad_selectors,
        "framesLeftOut": result.frames_left_out,
    }


def _sight(seen: Verdict) -> str:
    detail = seen.reason or seen.waiting
    shown = "nothing decisive" if seen.state is None else f"{seen.state}/{detail}" if detail else str(seen.state)
    return f"{shown}, next step: {seen.step or 'none'}"


def _expectation(expected: PackState) -> str:
    from meeting_buddy_bot.tools.verdict import Verdict

    verdict = Verdict(expected.shows, expected.reason, expected.waiting, expected.step or "any")
    return _sight(verdict) + (f", after {expected.after}" if expected.after else "")
