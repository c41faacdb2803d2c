"""A page pack from a session's ``debug/`` folder: the saved pages, and what the bot made of each of them.

What the pages show is taken from the labels of the signals that matched, so it is a proposal: where the table was
wrong, so is the pack until a person has put it right.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from meeting_buddy.contract.links import LINKS, PLATFORM_NAME, PlatformName
from meeting_buddy.contract.table import PlatformTable, State
from meeting_buddy_bot.platforms.diagnostics import FOLDER, SIGNALS_SUFFIX, STEP_LABEL
from meeting_buddy_bot.platforms.probe import label
from meeting_buddy_bot.reporting.outcome import SESSION_FILE
from meeting_buddy_bot.tools.built_in import built_in_table
from meeting_buddy_bot.tools.errors import ToolError
from meeting_buddy_bot.tools.page_pack import PACK_FILE, Pack, PackState, read_page

_ORDER: Final[tuple[State | None, ...]] = tuple(State)
_NUMBERED: Final = re.compile(r"\d+-")
_JOINING: Final = (None, State.LOBBY, State.PRE_JOIN)
"""What a page shows on which the join loop takes steps."""
_HEADER: Final = """\
# What the bot made of each page, from the signals that matched. Put right what the page really shows:
# shows (preJoin, lobby, inCall, reconnecting, ended, refused or null), reason, waiting, and the step to take next.
# dialogs and console are what the page had said by then; take out what is nobody's business.
"""


@dataclass(frozen=True, slots=True)
class MadePack:
    """A pack that was written."""

    folder: Path
    pack: Pack


def make_pack(session: Path, out: Path, platform: PlatformName | None, today: date) -> MadePack:
    """Write the pack of a session's pages to ``out``.

    Args:
        session: the session's folder on the volume.
        out: a folder that is empty, or not there yet.
        platform: ``None``: by ``session.json``, or by the hosts of the pages.
        today: for the pack's origin.

    Raises:
        ToolError: there are no pages, the platform is not known, or ``out`` is taken.
        OSError: something cannot be read or written.
    """
    files = _pages_in(session)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ToolError(f"{out} is there already and is not empty; name a folder that is not there yet")
    pages = [read_page(file) for file in files]
    found = platform or _platform_of(session, [page.document.host for page in pages])
    documents = [document for page in pages for document in (page.document, *page.frames)]
    pack = Pack(
        platform=found,
        origin=f"real, from a session's debug folder, {today.isoformat()}",
        hosts=tuple(dict.fromkeys(document.host for document in documents if document.host)),
        states=dict(_states(files, built_in_table(found))),
    )
    out.mkdir(parents=True, exist_ok=True)
    for file, name in zip(files, pack.states, strict=True):
        (out / f"{name}.html").write_bytes(file.read_bytes())
    (out / PACK_FILE).write_text(_HEADER + yaml.safe_dump(_document(pack), sort_keys=False, allow_unicode=True))
    return MadePack(out, pack)


def proposed_state(labels: Sequence[str], table: PlatformTable | None, *, joined: bool) -> PackState:
    """What a page shows by the labels of what matched; of several signals, the one that the bot judges first.

    ``table``: tells signals that only count in a bot that has ``joined``; ``None``: all count.
    """
    signals = [each for each in labels if not each.startswith(STEP_LABEL)]
    steps = [each.removeprefix(STEP_LABEL) for each in labels if each.startswith(STEP_LABEL)]
    if not joined:
        signals = [each for each in signals if not _only_after_joining(each, table)]
    states = sorted(map(_state, signals), key=lambda state: _ORDER.index(state.shows))
    found = states[0] if states else PackState(shows=None)
    step = steps[0] if steps and found.shows in _JOINING and not joined else None
    return found.model_copy(update={"step": step})


def _pages_in(session: Path) -> list[Path]:
    """The saved pages, in the order in which they were seen."""
    folder = session / FOLDER
    if not folder.is_dir():
        raise ToolError(
            f"{session} has no folder {FOLDER}/: a session has one after a failure on the page, or with debugMode: true"
        )
    files = sorted(folder.glob("*.html"), key=lambda file: (not _NUMBERED.match(file.name), file.name))
    if not files:
        raise ToolError(f"{folder} holds no page (*.html): the browser was gone before one could be saved")
    return files


def _platform_of(session: Path, hosts: Sequence[str]) -> PlatformName:
    """The platform by ``session.json``, or else by the pages' hosts."""
    try:
        said = str(json.loads((session / SESSION_FILE).read_text())["platform"])
    except (OSError, ValueError, KeyError, TypeError):
        said = ""  # the file is written at the end, and not by every version with the platform
    if PLATFORM_NAME.match(said):
        return said
    for host in hosts:
        for platform, rules in LINKS.items():
            if rules.owns(host):
                return platform
    raise ToolError(f"say which platform it is, such as --platform LiveKit: {', '.join(dict.fromkeys(hosts))} do not")


def _states(files: Sequence[Path], table: PlatformTable | None) -> Iterator[tuple[str, PackState]]:
    """Each page's name in the pack, and what it shows."""
    names: dict[str, int] = {}
    call: str | None = None
    for file in files:
        title = file.stem
        heard = _heard(file.with_name(f"{title}{SIGNALS_SUFFIX}"))
        state = proposed_state(heard["signals"], table, joined=call is not None)
        name = _name(state) or ("page" if _NUMBERED.match(title) else _kebab(title))
        names[name] = number = names.get(name, 0) + 1
        name = name if number == 1 else f"{name}-{number}"
        said = {key: tuple(heard[key]) for key in ("dialogs", "console")}
        yield name, state.model_copy(update={"after": call, "file": title, **said})
        if call is None and state.shows is State.IN_CALL:
            call = name


def _heard(file: Path) -> dict[str, list[str]]:
    """What ``NAME.signals.json`` holds; nothing where it is missing.

    Raises:
        ToolError: it is not such a file.
    """
    try:
        heard = json.loads(file.read_text())
    except FileNotFoundError:
        heard = {}
    except ValueError as error:
        raise ToolError(f"{file} is no JSON") from error
    if not isinstance(heard, dict):
        raise ToolError(f"{file} does not hold what matched")
    lists = {key: heard.get(key, []) for key in ("signals", "dialogs", "console")}
    for key, given in lists.items():
        if not isinstance(given, list):
            raise ToolError(f"{file}: {key} is not a list")
    return {key: [str(each) for each in given] for key, given in lists.items()}


def _only_after_joining(signal: str, table: PlatformTable | None) -> bool:
    called = [each for each in table.signals if label(each) == signal] if table else []
    return bool(called) and all(each.after_join for each in called)


def _state(signal: str) -> PackState:
    """What a page shows by one label.

    Raises:
        ToolError: this version does not know its state, reason or way of waiting.
    """
    state, _, detail = signal.partition("/")
    kind = {"ended": "reason", "refused": "reason", "lobby": "waiting"}.get(state)
    try:
        return PackState.model_validate({"shows": state} | ({kind: detail} if kind and detail else {}))
    except ValidationError:
        raise ToolError(f"the signal {signal!r} is of a newer version") from None


def _name(state: PackState) -> str | None:
    """What a page is called by what it shows, or else by the next step."""
    if state.shows is None:
        return state.step and _kebab(state.step)
    return _kebab("-".join(filter(None, (state.shows, state.reason or state.waiting))))


def _kebab(name: str) -> str:
    """``lobby-WaitingRoom`` as ``lobby-waiting-room``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-").lstrip("0123456789-") or "page"


def _document(pack: Pack) -> dict[str, Any]:
    """The pack as it is written: ``shows`` always, everything else where there is something to say."""
    states = {
        name: {"shows": state.shows} | state.model_dump(mode="json", exclude_defaults=True)
        for name, state in pack.states.items()
    }
    return {**pack.model_dump(mode="json", exclude={"states"}), "states": states}
