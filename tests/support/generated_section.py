"""A part of a README that a program writes."""

from __future__ import annotations

from pathlib import Path

from tests.local.clone import REPOSITORY


def write_or_check(readme: Path, begin: str, end: str, fresh: str, *, module: str, check: bool) -> int:
    """Put ``fresh`` between two marks; with ``check`` only say that it does not stand there: exit status 1."""
    text = readme.read_text()
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    wanted = f"{head}{begin}{fresh}{end}{tail}"
    if not check:
        readme.write_text(wanted)
    elif wanted != text:
        print(f"stale: {readme.relative_to(REPOSITORY)} (run python -m {module})")
        return 1
    return 0
