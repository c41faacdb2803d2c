"""How a table finds an element of a page, and what it may ask of one.

A locator is looked for in the document and in every open shadow root of it. Texts and names are compared after folding
case, white space, typographic quotes and dashes; ``*`` in a name stands for any characters.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Css = Annotated[str, Field(min_length=1, max_length=512)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
ElementName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9 -]*$", max_length=64)]
Source = Annotated[str, Field(pattern=r"\d{4}-\d{2}-\d{2}", max_length=512)]
"""Where a fact comes from, with the day on which it was seen: without both, nobody can tell when it went stale."""


class TableModel(BaseModel):
    """Base of a table's parts, spelled in camelCase. What a reader does with unknown fields is the reader's business:
    a person's own table is refused, a bot leaves the signal or step out (``contract/table_reader.py``)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Role(StrEnum):
    """ARIA roles that a locator can ask for, given by attribute or implied by the element."""

    ALERT = "alert"
    ALERTDIALOG = "alertdialog"
    BANNER = "banner"
    BUTTON = "button"
    CHECKBOX = "checkbox"
    COMBOBOX = "combobox"
    DIALOG = "dialog"
    GROUP = "group"
    HEADING = "heading"
    IMG = "img"
    LINK = "link"
    LIST = "list"
    LISTITEM = "listitem"
    MENU = "menu"
    MENUITEM = "menuitem"
    RADIO = "radio"
    REGION = "region"
    STATUS = "status"
    SWITCH = "switch"
    TAB = "tab"
    TEXTBOX = "textbox"
    TOOLBAR = "toolbar"
    TREE = "tree"
    TREEITEM = "treeitem"


class Locator(TableModel):
    """One way to find an element; all fields that are given must hold together."""

    css: Css | None = None
    role: Role | None = None
    name: Text | None = None
    """The accessible name, as a screen reader has it: the whole of it, where ``*`` does not stand for the rest."""
    text: Text | None = None
    """Its visible text contains this. By itself, it finds the innermost elements that do."""
    within: ElementName | None = None
    """Only inside what this element's locators find, whatever shadow roots lie between."""
    nth: int | None = Field(None, ge=-100, le=100)
    """Which of those found: 0 is the first, -1 the last."""
    frame: Text | None = None
    """Only in frames whose address contains this."""
    visible: bool = True
    """``false``: elements that are in the document and not shown count too, such as ``<audio>``."""
    min_width: int = Field(0, ge=0, le=4096)
    min_height: int = Field(0, ge=0, le=4096)
    """Smallest size in CSS pixels of an element that counts; a captcha's frame is there, tiny, on innocent pages."""
    source: Source

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.css, self.role, self.name, self.text)):
            raise ValueError("a locator needs css, role, name or text")
        return self


class Range(TableModel):
    """Bounds of a number, both included."""

    min: int | None = None
    max: int | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a range needs min or max")
        return self
