"""What the page looked like: screenshot, redacted document, matched signals, in ``debug/``.

Fixtures written from imagination match nothing real; these files are where real ones come from: ``tools/make_pack.py``
makes a page pack of them. They are read by people outside the meeting, so the documents hold no link's query or
fragment, no token, no passcode, nothing that was typed and no participant's name; a screenshot shows what it shows.
What is taken out are texts and values of attributes; whatever somebody is called, elements and their roles, types and
classes stay, and so does the host of an address.
"""

import asyncio
import contextlib
import re
import unicodedata
from array import array
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from importlib import resources
from typing import Final

from meeting_buddy.contract.escapes import readings
from meeting_buddy.contract.redaction import Redactor
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.text import MAX_NAME, WITHOUT_BLANKS, json_text, page_text, utf8
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
_SPELT: Final = rf"[^\W_{WITHOUT_BLANKS}]"
"""Letters and digits of scripts that put blanks between words: beside one of them a name is part of another word."""
_MARKS: Final = "".join(map(chr, range(0x0300, 0x0370)))
"""Of Latin, Greek and Cyrillic letters, where they stand by themselves."""
_COMPOSED: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
"""Letters that may be composed, with the one before them, which the first mark may belong to."""
_TELLING: Final = 5
"""Letters of a name that is hardly a word's beginning or an abbreviation in another case."""
_CUT: Final = MAX_NAME - 1
"""Characters of a name that may go on: it was cut, perhaps at a blank."""
_REST: Final = re.compile(r"[^<\"]*")
"""What may follow the beginning of a name: up to the end of its text or attribute."""
_TAG: Final = re.compile(r"</?[A-Za-z][^\s/>]*+(?:\s[^\s=>/]++=\"[^\"]*+\")*+>")
"""As Chromium writes one."""
_ATTRIBUTE: Final = re.compile(r"(?<=\s)([^\s=>/]++)=\"([^\"]*+)\"")
_VOCABULARY: Final = frozenset({"role", "type", "shadowrootmode", "data-mb-look"})
"""Attributes whose values are words of HTML or ``document.js``'s own."""
_ADDRESSES: Final = frozenset({"src", "href"})
_ORIGIN: Final = re.compile(r"(?:(?:https?:)?//[^\s/]*)?")
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
    cleaner = await asyncio.to_thread(Cleaner, redact, known)
    cleaned = await asyncio.to_thread(lambda: [cleaner.text(text) for text in (*dialogs, *console)])
    heard = {"signals": signals, "dialogs": cleaned[: len(dialogs)], "console": cleaned[len(dialogs) :]}
    await keep(SIGNALS_SUFFIX, json_text(heard, indent=1).encode())
    with contextlib.suppress(BrowserError):  # a page that is gone leaves no picture
        await keep(".png", await page.screenshot(seconds))
    frames = [answer for answer in answers if answer.value]
    if frames:
        document = await asyncio.to_thread(_document, frames, cleaner)  # megabytes
        await keep(".html", utf8(document))


def evidence_of(table: PlatformTable, snapshot: PageSnapshot | None) -> list[str]:
    """Labels of the table's signals and steps that hold in ``snapshot``."""
    if snapshot is None:
        return []
    signals = [label(signal) for signal in table.signals if snapshot.holds(signal)]
    return signals + [f"{STEP_LABEL}{step.name}" for step in table.steps if snapshot.applies(step)]


def _document(frames: Iterable[FrameAnswer], cleaner: "Cleaner") -> str:
    """The documents of a page, each after a line that says where it lay; not more than can be handled."""
    parts: list[str] = []
    left = _MAX_CHARACTERS
    for frame in frames:
        kind, html = "page" if frame.top else "frame", str(frame.value["html"])
        if len(html) > left:
            html = html[: html.rfind(">", 0, left) + 1]  # no text or value is cut: its rest would not be recognised
        parts.append(f"<!-- {kind} {frame.value['host']} {cleaner.text(frame.value['path'])} -->\n{cleaner.html(html)}")
        left -= len(html)
        if left <= 0:
            break
    return "\n".join(parts)


class Cleaner:
    """Takes out of texts and documents what nobody outside the meeting may read."""

    def __init__(self, redact: Redactor, names: Iterable[str]) -> None:
        self._without_names = cache(without_names(names))  # classes and labels repeat a thousand times
        self._without_secrets = cache(lambda text: redact(mask_keys(text)))

    def text(self, text: str) -> str:
        """``text`` without secrets and names."""
        return self._without_names(self._without_secrets(text))

    def html(self, html: str) -> str:
        """The same of a document, of whose tags only values of attributes are texts."""
        pieces: list[str] = []
        done = 0
        for tag in _TAG.finditer(html):
            pieces += (self.text(html[done : tag.start()]), _ATTRIBUTE.sub(self._attribute, tag[0]))
            done = tag.end()
        return "".join((*pieces, self.text(html[done:])))

    def _attribute(self, found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if name in _VOCABULARY:
            return found[0]
        value = self._without_secrets(value)
        if name != "class":
            origin = _ORIGIN.match(value) if name in _ADDRESSES else None
            host = origin[0] if origin else ""
            value = host + self._without_names(value[len(host) :])
        return f'{name}="{value}"'


def without_names(names: Iterable[str]) -> Callable[[str], str]:
    """Replaces each participant's name in a text by ``Person`` and a number, however it is escaped and spaced.

    Names of two words or five letters are found in whatever case they are written: style sheets change it.
    """
    exact: dict[str, int] = {}
    folded: dict[str, int] = {}
    for number, name in enumerate(dict.fromkeys(page_text(name, MAX_NAME) for name in names), 1):
        if " " in name or sum(map(str.isalpha, name)) >= _TELLING:
            folded.setdefault(_key(unicodedata.normalize("NFD", name).casefold()), number)
        elif len(name) > 1:
            exact[name] = number
    searches = [(form, _pattern(known), known) for form, known in ((_same, exact), (_folded, folded)) if known]

    def replace(text: str) -> str:
        spans: set[tuple[int, int, int]] = set()
        for reading in readings(text) if searches else ():
            decomposed = _decomposed(*_without_unseen(*reading))
            for form, pattern, known in searches:
                seen, offsets = form(*decomposed)
                for found in pattern.finditer(seen):
                    name, end = _key(found[0]), offsets[found.end()]
                    if len(name) >= _CUT and (rest := _REST.match(text, end)):
                        end = rest.end()
                    spans.add((offsets[found.start()], end, known[name]))
        return _replaced(text, spans)

    return replace


def _key(name: str) -> str:
    """A name as it was found, with one blank between its words, and composed."""
    return page_text(name, len(name))


def _replaced(text: str, spans: Iterable[tuple[int, int, int]]) -> str:
    """``text`` with persons' numbers in place of what is between a start and an end."""
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


def _same(text: str, offsets: "array[int]") -> tuple[str, "array[int]"]:
    return text, offsets


def _folded(text: str, offsets: "array[int]") -> tuple[str, "array[int]"]:
    """A reading without regard to case; a letter may become several."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded, offsets
    begins = array("I")
    for offset, letter in zip(offsets, text, strict=False):
        begins.extend([offset] * len(letter.casefold()))
    begins.append(offsets[-1])
    return folded, begins


def mask_keys(text: str) -> str:
    """``text`` without JSON web tokens and without long runs of letters and digits, which are keys more than words."""
    return _LONG_KEY.sub("[key]", mask_tokens(text))
