"""Packs of real pages, as files: ``pack.yaml`` says what each page shows, ``<state>.html`` is the page with its frames.

The format is described in ``tests/local/meetings/packs/README.md``; the documents are those of
``platforms/diagnostics.py``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.table import State
from meeting_buddy_bot.tools.errors import ToolError
from meeting_buddy_bot.tools.yaml_file import read_yaml

PACK_FILE: Final = "pack.yaml"
_SYNTHETIC: Final = "page.js"
_HEAD: Final = re.compile(r"^<!-- (page|frame) (\S*) (.*) -->\n", re.MULTILINE)

StateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class PackState(BaseModel):
    """One page of a pack, and what the bot must make of it."""

    model_config = ConfigDict(frozen=True)

    shows: State | None
    """``None``: nothing decisive."""
    reason: Reason | None = None
    waiting: Waiting | None = None
    step: str | None = None
    """The step that the join loop must choose; ``None``: it does not matter."""
    after: StateName | None = None
    """A bot saw this page only after that one of the call."""
    file: str | None = None
    """Its name in the session's ``debug/``."""
    dialogs: tuple[str, ...] = ()
    """What JavaScript dialogs had said by then."""
    console: tuple[str, ...] = ()
    """What had been written to the console by then."""


class Pack(BaseModel):
    """``pack.yaml``; what only the tests' own packs have is ignored."""

    model_config = ConfigDict(frozen=True)

    platform: PlatformName
    origin: str
    hosts: tuple[str, ...]
    states: Annotated[dict[StateName, PackState], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class SavedDocument:
    """The document of a page or of one of its frames."""

    host: str
    """With the port, where it is not 443; empty for a frame without an address of its own."""
    path: str
    html: str


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page as it was written down."""

    document: SavedDocument
    frames: tuple[SavedDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class PagePack:
    """A pack that was read."""

    pack: Pack
    pages: Mapping[str, SavedPage]


def read_pack(folder: Path) -> PagePack:
    """The pack in ``folder``.

    Raises:
        ToolError: it is none, is a synthetic one, or something in it is wrong; the message names the file and field.
    """
    file = folder / PACK_FILE
    if not file.is_file():
        raise ToolError(f"{folder} is no page pack: it has no {PACK_FILE}")
    try:
        pack = Pack.model_validate(read_yaml(file))
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        raise ToolError(f"{file}: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from error
    missing = [name for name in pack.states if not (folder / f"{name}.html").is_file()]
    if len(missing) == len(pack.states) and (folder / _SYNTHETIC).is_file():
        raise ToolError(
            f"{folder} is a synthetic pack: its pages are drawn by {_SYNTHETIC} and are no saved documents; "
            "`python -m tests.local.meetings` shows them"
        )
    if missing:
        raise ToolError(f"{folder} has no {missing[0]}.html, which {PACK_FILE} names under states")
    return PagePack(pack, {name: read_page(folder / f"{name}.html") for name in pack.states})


def read_page(file: Path) -> SavedPage:
    """The page in a file that ``platforms/diagnostics.py`` wrote.

    Raises:
        ToolError: it is no such file.
    """
    text = file.read_text(errors="replace")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)] * bool(heads)
    documents = [
        (head[1], SavedDocument(head[2], head[3], text[head.end() : end]))
        for head, end in zip(heads, ends, strict=True)
    ]
    pages = [document for kind, document in documents if kind == "page"]
    if len(pages) != 1 or not pages[0].host:
        raise ToolError(f"{file} does not have exactly one page after a line `<!-- page HOST PATH -->`")
    return SavedPage(pages[0], tuple(document for kind, document in documents if kind == "frame"))
