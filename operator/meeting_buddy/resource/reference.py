"""The contract's tables as Markdown, for ``crds/README.md``: phases, reasons, links."""

from collections.abc import Sequence

from meeting_buddy.contract.links import LINKS
from meeting_buddy.contract.phases import PHASES, Phase
from meeting_buddy.contract.reasons import PLANNED, REASONS


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _yes(value: bool) -> str:
    return "True" if value else "–"


def phases() -> str:
    """One row a phase."""
    rows = [
        (
            f"`{phase}`",
            facts.meaning,
            _yes(facts.ready) if facts.ready else "False",
            _yes(facts.reconciling),
            _yes(facts.stalled),
        )
        for phase, facts in PHASES.items()
    ]
    return _table(("phase", "meaning", "Ready", "Reconciling", "Stalled"), rows)


def reasons() -> str:
    """One row a reason, Completed ones first."""
    rows = [
        (f"`{reason}`", str(facts.end) if facts.end else "event only", "yes" if facts.retry else "", facts.advice)
        for end in (Phase.COMPLETED, Phase.FAILED, None)
        for reason, facts in REASONS.items()
        if facts.end is end and reason not in PLANNED
    ]
    return _table(("reason", "the session ends", "tried again", "what to do"), rows)


def links() -> str:
    """One row a platform."""
    rows = [
        (
            f"`{platform}`",
            ", ".join(f"`{host}`" for host in facts.hosts),
            f"`{facts.example}`",
        )
        for platform, facts in LINKS.items()
    ]
    return _table(("platform", "hosts", "a link looks like"), rows)


BLOCKS = {"phases": phases, "reasons": reasons, "links": links}


def fill(text: str) -> str:
    """Replace what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` by the table of that name.

    Raises:
        ValueError: a pair of marks is missing.
    """
    for name, block in BLOCKS.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the marks of table {name} are missing")
        text = f"{head}{begin}{block()}{end}{tail}"
    return text
