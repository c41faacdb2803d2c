"""What the page looked like: screenshot, redacted document, matched signals, in ``debug/``.

Fixtures written from imagination match nothing real; these files are where real ones come from: ``tools/make_pack.py``
makes a page pack of them. They are read by people outside the meeting, so the documents hold no link's query or
fragment, no token, no passcode, nothing that was typed and no participant's name; a screenshot shows what it shows.
"""

import asyncio
import contextlib
import re
import unicodedata
from array import array
from collections.abc import Awaitable, Callable, Iterable
from importlib import resources
from typing import Final

from meeting_buddy.contract.escapes import readings
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.text import MAX_NAME, json_text, page_text, utf8
from meeting_buddy_bot.browser.errors import BrowserError
from meeting_buddy_bot.browser.page import FrameAnswer, Page, mask_tokens
from meeting_buddy_bot.platforms.probe import PageSnapshot, label
from meeting_buddy_bot.support.atomic_file import atomic_write
from meeting_buddy_bot.support.volume import Volume

FOLDER: Final = "debug"
SIGNALS_SUFFIX: Final = ".signals.json"
STEP_LABEL: Final = "step: "
"""Before the name of a step in evidence."""
_MAX_CHARACTERS: Final = 2_000_000
_SCRIPT: Final = resources.files(__package__).joinpath("document.js").read_text()
_SPELT: Final = (
    r"[^\W_\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"
    r"\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]"
)
"""Letters and digits of scripts that put blanks between words: beside one of them a name is part of another word."""
_MARKS: Final = "".join(map(chr, range(0x0300, 0x0370)))
"""Of Latin, Greek and Cyrillic letters, where they stand by themselves."""
_COMPOSED: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
"""Letters that may be composed, with the one before them, which the first mark may belong to."""
_CUT: Final = MAX_NAME - 1
"""Characters of a name that may go on: it was cut, perhaps at a blank."""
_REST: Final = re.compile(r"[^<\"]*")
"""What may follow the beginning of a name: up to the end of its text or attribute."""
_LONG_KEY: Final = re.compile(r"(?<![\w/+-])(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[\w+-]{32,}(?![\w+-])")

Read = Callable[[str, float], Awaitable[tuple[list[str], list[FrameAnswer]]]]
"""Labels of what matches, and what a script gives in each frame, both at one moment and within so many seconds."""


async def collect(
    page: Page,
    volume: Volume,
    name: str,
    signals: list[str],
    redact: Redactor,
    kept: Callable[[str], None],
    names: Callable[[], Iterable[str]] = tuple,
    seconds: float = 10.0,
    read: Read | None = None,
) -> None:
    """Write what can still be had of the page.

    Args:
        page: the meeting's tab.
        volume: where to write.
        name: of the files, without their ending.
        signals: labels of what matched.
        redact: knows the session's secrets.
        kept: told the path of each file, relative to the volume's folder, as soon as it is there.
        names: of the meeting's participants; asked for once the document was read.
        seconds: for the screenshot and for the document, each.
        read: gives the labels of what matches at the moment of the document, which then go in place of ``signals``.

    Never raises for the browser's sake.

    Raises:
        OSError: the volume does not take it.
    """
    target = volume.folder / FOLDER
    await volume.call("make the folder of diagnostics", lambda: target.mkdir(parents=True, exist_ok=True))

    async def keep(suffix: str, content: bytes) -> None:
        await volume.call("write diagnostics", lambda: atomic_write(target / f"{name}{suffix}", content))
        kept(f"{FOLDER}/{name}{suffix}")

    def clean(text: str) -> str:
        return without_names(redact(mask_keys(text)), known)

    try:
        if read is None:
            answers = await page.evaluate(_SCRIPT, seconds)
        else:
            found, answers = await read(_SCRIPT, seconds)
            signals = found if answers else signals
    except BrowserError:
        answers = []
    known = tuple(names())
    dialogs, console = list(page.alerts), list(page.console)[-50:]
    # Off the event loop: a page may have shown thousands of names, to look for which takes seconds to prepare.
    cleaned = await asyncio.to_thread(lambda: [clean(text) for text in (*dialogs, *console)])
    heard = {"signals": signals, "dialogs": cleaned[: len(dialogs)], "console": cleaned[len(dialogs) :]}
    await keep(SIGNALS_SUFFIX, json_text(heard, indent=1).encode())
    with contextlib.suppress(BrowserError):  # a page that is gone leaves no picture
        await keep(".png", await page.screenshot(seconds))
    frames = [
        f"<!-- {'page' if answer.top else 'frame'} {answer.value['host']} {answer.value['path']} -->\n"
        + str(answer.value["html"])
        for answer in answers
        if answer.value
    ]
    if frames:
        document = "\n".join(frames)[:_MAX_CHARACTERS]
        await keep(".html", utf8(await asyncio.to_thread(clean, document)))  # megabytes


def evidence_of(table: PlatformTable, snapshot: PageSnapshot | None) -> list[str]:
    """Labels of the table's signals and steps that hold in ``snapshot``."""
    if snapshot is None:
        return []
    signals = [label(signal) for signal in table.signals if snapshot.holds(signal)]
    return signals + [f"{STEP_LABEL}{step.name}" for step in table.steps if snapshot.applies(step)]


def without_names(text: str, names: Iterable[str]) -> str:
    """``text`` with each participant's name replaced by ``Person`` and a number, however it is escaped and spaced."""
    known_names = dict.fromkeys(page_text(name, MAX_NAME) for name in names)
    numbers = {name: number for number, name in enumerate(known_names, 1) if len(name) > 1}
    if not numbers:
        return text
    known = _pattern(numbers)
    spans: set[tuple[int, int, int]] = set()
    for reading in readings(text):
        seen, offsets = _decomposed(*_without_unseen(*reading))
        for found in known.finditer(seen):
            name, end = page_text(found[0], len(found[0])), offsets[found.end()]
            if len(name) >= _CUT and (rest := _REST.match(text, end)):
                end = rest.end()
            spans.add((offsets[found.start()], end, numbers[name]))
    pieces: list[str] = []
    done = 0
    for start, end, number in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= done:
            pieces += (text[done:start], f"Person {number}")
        done = max(done, end)  # what reaches beyond another name goes with it
    return "".join((*pieces, text[done:]))


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the names; grouped by their first characters, because a document has millions of others."""
    beginnings: dict[str, list[str]] = {}
    # The longest first: "Ada" must not break up "Ada Lovelace" before that was found.
    for name in sorted(names, key=len, reverse=True):
        form = unicodedata.normalize("NFD", name)
        letter = form.rstrip(_MARKS)[-1:]
        last = rf"(?!{_SPELT}|[{_MARKS}])" if re.match(_SPELT, letter) and len(name) < _CUT else ""
        words = r"\s+".join(map(re.escape, form[1:].split(" ")))
        beginnings.setdefault(form[0], []).append(words + last)
    groups = [
        re.escape(first) + (rf"(?<!{_SPELT}.)" if re.match(_SPELT, first) else "") + f"(?:{'|'.join(rests)})"
        for first, rests in beginnings.items()
    ]
    return re.compile("|".join(groups), re.DOTALL)


def _without_unseen(text: str, offsets: "array[int]") -> tuple[str, "array[int]"]:
    """A reading without the characters that :func:`page_text` leaves out of a name."""
    unseen = "".join(each for each in set(text) if not each.isspace() and not page_text(each, 1))
    if not unseen:
        return text, offsets
    pieces: list[str] = []
    begins = array("I")
    for found in re.finditer(f"[^{re.escape(unseen)}]+", text):
        pieces.append(found[0])
        begins.extend(offsets[found.start() : found.end()])
    begins.append(offsets[-1])
    return "".join(pieces), begins


def _decomposed(text: str, offsets: "array[int]") -> tuple[str, "array[int]"]:
    """A reading in Unicode's form NFD, in which all spellings of a letter with its marks are one."""
    if unicodedata.is_normalized("NFD", text):
        return text, offsets
    pieces: list[str] = []
    begins = array("I")
    done = 0
    for found in _COMPOSED.finditer(text):
        pieces += (text[done : found.start()], unicodedata.normalize("NFD", found[0]))
        begins.extend(offsets[done : found.start()])
        for offset, letter in zip(offsets[found.start() : found.end()], found[0], strict=True):
            begins.extend([offset] * len(unicodedata.normalize("NFD", letter)))  # put in order, they are as many
        done = found.end()
    begins.extend(offsets[done:])
    return "".join((*pieces, text[done:])), begins


def mask_keys(text: str) -> str:
    """``text`` without JSON web tokens and without long runs of letters and digits, which are keys more than words."""
    return _LONG_KEY.sub("[key]", mask_tokens(text))
