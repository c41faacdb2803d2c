"""Models of which thousands are kept at the same time."""

from sys import intern
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel

_NO_FIELDS: Final[set[str]] = set()


class LeanModel(BaseModel):
    """A frozen model that does not remember which of its fields were given.

    Pydantic keeps a set of their names with each instance, which is larger than most of what is in it. So
    ``exclude_unset`` has no meaning here.
    """

    def model_post_init(self, _context: Any, /) -> None:
        """Let all instances share one set; whoever changes one copies it first."""
        object.__setattr__(self, "__pydantic_fields_set__", _NO_FIELDS)


Repeated = Annotated[str, AfterValidator(intern)]
"""A text that many objects have in common; it is kept once."""
