"""Self-hosted kinds: the part of a platform's table that says what its links look like; hosts are the installer's."""

import re
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from meeting_buddy.contract.links.rules import LinkRules, LinkShape, id_parameter, shape
from meeting_buddy.contract.locator import TableModel

_ID: Final = "{id}"
_ANY: Final = "{any}"
_ONE_SEGMENT: Final = "[^/?#]+"
_EXAMPLE_HOST: Final = "https://meet.example.org"

LinkPath = Annotated[str, Field(pattern=r"^(/([A-Za-z0-9._~-]+|\{id\}|\{any\}))+$", max_length=256)]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+$", max_length=64)]


class SelfHostedLink(TableModel):
    """One shape of a kind's links; what it does not name, query and fragment, may be there or not."""

    path: LinkPath
    """Segments: fixed words, ``{id}`` for what tells the meeting by, ``{any}`` for any other."""
    id_parameter: Parameter | None = None
    """The query parameter that tells the meeting by, where no segment does."""
    passcode_parameter: Parameter | None = None
    """The query parameter that may hold the passcode."""

    @model_validator(mode="after")
    def _one_id(self) -> Self:
        if self._segments.count(_ID) + (self.id_parameter is not None) != 1:
            raise ValueError("a link needs its meeting's id once: one {id} in path, or idParameter")
        return self

    @property
    def _segments(self) -> list[str]:
        return self.path.split("/")[1:]

    @property
    def shape(self) -> LinkShape:
        """The same as a row of the link table has it."""
        patterns = {_ID: f"(?P<id>{_ONE_SEGMENT})", _ANY: _ONE_SEGMENT}
        path = "".join("/" + patterns.get(each, re.escape(each)) for each in self._segments)
        if self.id_parameter is not None:
            path += "/?" + id_parameter(re.escape(self.id_parameter), "[^&#]+")
        return shape(path, passcode=self.passcode_parameter and re.escape(self.passcode_parameter))

    @property
    def words(self) -> frozenset[str]:
        """Its fixed segments, in lower case: they identify no meeting."""
        return frozenset(each.lower() for each in self._segments if each not in (_ID, _ANY))

    @property
    def example(self) -> str:
        """A link of this shape, for messages."""
        query = f"?{self.id_parameter}=name" if self.id_parameter else ""
        return _EXAMPLE_HOST + self.path.replace(_ID, "name").replace(_ANY, "word") + query


class SelfHostedKind(TableModel):
    """What is known of a kind's links. Whoever runs the kind lists its hosts in ``selfHosted.hosts``."""

    http_name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")
    """How the HTTP API spells the platform."""
    links: Annotated[tuple[SelfHostedLink, ...], Field(min_length=1, max_length=20)]
    """The first one that matches counts."""
    public_parameters: Annotated[tuple[Parameter, ...], Field(max_length=50)] = ()
    """Query parameters that only set the page up. The value of any other one is a secret."""

    @property
    def rules(self) -> LinkRules:
        """The kind's row of the link table."""
        return LinkRules(
            (),
            tuple(each.shape for each in self.links),
            self.links[0].example,
            public_parameters=frozenset(each.lower() for each in self.public_parameters),
            public_words=frozenset().union(*(each.words for each in self.links)),
        )
