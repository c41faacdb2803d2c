"""Shares a bot's CPU, memory and disk out to its two containers."""

from fractions import Fraction
from math import ceil
from typing import Final

from meeting_buddy.resource.quantity import parse_quantity

_MEBIBYTE: Final = 1024 * 1024


def split_cpu(quantity: str, share: Fraction, most: str | None = None) -> tuple[str, str]:
    """Share out a CPU quantity; the two parts, in millicores, add up to it, rounded up as the API server does.

    Args:
        quantity: both parts.
        share: the first one's.
        most: of the first one, in millicores; the second has what is left.
    """
    first, second = _split(parse_quantity(quantity) * 1000, share)
    over = max(0, first - int(parse_quantity(most) * 1000)) if most is not None else 0
    return f"{first - over}m", f"{second + over}m"


def split_bytes(quantity: str, share: Fraction) -> tuple[str, str]:
    """Share out a quantity of memory or disk; the two parts, in mebibytes, add up to it, rounded up."""
    first, second = _split(parse_quantity(quantity) / _MEBIBYTE, share)
    return f"{first}Mi", f"{second}Mi"


def add_cpu(first: str, second: str) -> str:
    """The sum of two CPU quantities, in millicores, rounded up."""
    return f"{ceil((parse_quantity(first) + parse_quantity(second)) * 1000)}m"


def add_bytes(first: str, second: str) -> str:
    """The sum of two quantities of memory or disk, in mebibytes, rounded up."""
    return f"{ceil((parse_quantity(first) + parse_quantity(second)) / _MEBIBYTE)}Mi"


def _split(units: Fraction, share: Fraction) -> tuple[int, int]:
    """Two whole parts, each at least 1: a limit of 0 would be none at all."""
    total = max(ceil(units), 2)
    first = min(max(int(total * share), 1), total - 1)
    return first, total - first
