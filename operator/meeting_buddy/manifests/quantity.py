"""Kubernetes quantities, as far as requests need them: read, shared out, written."""

import re
from fractions import Fraction
from typing import Final

_SUFFIX: Final = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T"), 1)},
    **{suffix: Fraction(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGT]|[KMGT]i)?")
_MEBIBYTE: Final = 1024 * 1024


def parse(quantity: str) -> Fraction:
    """``1500m`` → 3/2, ``2Gi`` → 2147483648.

    Raises:
        ValueError: not a quantity of CPU or memory.
    """
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 1500m or 2Gi")
    return Fraction(match[1]) * _SUFFIX[match[2] or ""]


def split_cpu(quantity: str, share: Fraction) -> tuple[str, str]:
    """Share out a CPU quantity; the two parts, in millicores, add up to it."""
    total = int(parse(quantity) * 1000)
    first = int(total * share)
    return f"{first}m", f"{total - first}m"


def split_memory(quantity: str, share: Fraction) -> tuple[str, str]:
    """Share out a memory quantity; the two parts, in mebibytes, add up to it."""
    total = int(parse(quantity) / _MEBIBYTE)
    first = int(total * share)
    return f"{first}Mi", f"{total - first}Mi"
