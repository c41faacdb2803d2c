"""Kubernetes quantities: the whole grammar of apimachinery's ``resource.Quantity``, for amounts above zero.

Signed number, then a binary suffix (``Ki`` … ``Ei``), a decimal one (``n`` ``u`` ``m`` ``k`` ``M`` ``G`` ``T`` ``P``
``E``) or a decimal exponent (``e9``, ``E-3``). Zero and negative amounts are quantities too, but no request or limit.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

PATTERN: Final = (
    r"^\+?([0-9]*[1-9][0-9]*(\.[0-9]*)?|[0-9]*\.[0-9]*[1-9][0-9]*)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"
)
MAX_LENGTH: Final = 64
LARGEST: Final = 2**63 - 1
"""The API server cuts what is larger to this."""

_SUFFIX: Final = {
    "": Fraction(1),
    **{suffix: Fraction(1, 1000**power) for power, suffix in enumerate("mun", 1)},
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}
_PARTS: Final = re.compile(r"([+-]?[0-9.]+)(.*)")
_VALID: Final = re.compile(PATTERN)


@lru_cache(256)
def parse_quantity(text: str) -> Fraction:
    """``1500m`` → 3/2, ``2Gi`` → 2147483648, ``1e3`` → 1000.

    Raises:
        ValueError: not a quantity above zero.
    """
    match = _PARTS.fullmatch(text)
    if match is None or len(text) > MAX_LENGTH or _VALID.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a quantity above zero such as 1500m, 2Gi or 1e9")
    number, suffix = match.groups()
    factor = _SUFFIX.get(suffix)
    if factor is None:
        factor = Fraction(10) ** int(suffix[1:])
    return min(Fraction(number.removesuffix(".")) * factor, Fraction(LARGEST))


def _number_as_text(value: Any) -> Any:
    """YAML makes a number of ``2`` and ``0.5``; Kubernetes takes both."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    BeforeValidator(_number_as_text),
    StringConstraints(pattern=PATTERN, max_length=MAX_LENGTH),
    WithJsonSchema(
        {"type": ["string", "number"], "pattern": PATTERN, "maxLength": MAX_LENGTH, "exclusiveMinimum": 0},
        mode="validation",
    ),
]
"""Text of a quantity above zero."""
