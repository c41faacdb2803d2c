"""The files that the chart mounts into operator and HTTP API: the installation's configuration, the platform tables."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from meeting_buddy.contract.links import PLATFORM_NAME, Platform, PlatformName
from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.contract.table_override import OverrideState, ResolvedTable, TableFault, invalid, resolve
from meeting_buddy.contract.table_reader import load_table
from meeting_buddy.resource.installation import Installation

INSTALLATION: Final = Path("/etc/meeting-buddy/installation.yaml")
TABLES: Final = (Path("/app/platforms"), Path("/etc/meeting-buddy/platforms"))
"""Folders of platform tables: the image's, then the administrator's, whose files override or replace them."""

_QuickLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where it is there, is ten times as fast, which a start feels; the other knows better where a fault is."""

_log = logging.getLogger(__name__)


def load_installation(path: Path) -> Installation:
    """Read bot classes and self-hosted hosts.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is wrong; the message names the field (``pydantic.ValidationError``) or the line.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error
    return Installation.model_validate(document, extra="forbid")


def load_tables(folders: Sequence[Path]) -> dict[PlatformName, ResolvedTable]:
    """Read all platform tables: the first folder's are built in, documents of later folders change or replace them.

    A later folder's document that is wrong is logged and left out; of two for one platform the last one counts.

    Raises:
        ValueError: a built-in table is wrong; the message names the file.
    """
    built_in_folder, *administrators = folders
    built_in = {table.platform: table for table in map(_built_in, sorted(built_in_folder.glob("*.yaml")))}
    found = {platform: ResolvedTable(table) for platform, table in built_in.items()}
    for path in (path for folder in administrators for path in sorted(folder.glob("*.yaml"))):
        platform = _platform_of(path, built_in)
        if platform is None:
            _log.error("a platform table is ignored: its file is named after no platform", extra={"file": str(path)})
            continue
        found[platform] = _resolved(path, platform, built_in.get(platform))
    _log_hashes(found, built_in)
    return found


def _platform_of(path: Path, built_in: Iterable[PlatformName]) -> PlatformName | None:
    """The platform that a file is named after: a known one in whatever case, or else a kind of the administrator's."""
    known = {name.lower(): name for name in (*built_in, *Platform)}
    new = path.stem if PLATFORM_NAME.fullmatch(path.stem) else None
    return known.get(path.stem.lower(), new)


def _built_in(path: Path) -> PlatformTable:
    try:
        table = load_table(yaml.load(path.read_text(), _QuickLoader))  # noqa: S506 -- it is a safe one
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: {error}") from error
    if path.stem.lower() != table.platform.lower():
        raise ValueError(f"{path}: holds the table of {table.platform}; a file is named as its platform")
    return table


def _resolved(path: Path, platform: PlatformName, built_in: PlatformTable | None) -> ResolvedTable:
    """What follows from one document of the administrator's."""
    try:
        found = resolve(yaml.safe_load(path.read_text()), platform, built_in)
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = invalid(_unreadable(error), built_in)
    about = {"platform": platform, "file": str(path)}
    if found.fault is not None:
        fault = {"field": found.fault.field, "error": found.fault.words}
        instead = "the built-in one is used" if built_in is not None else "there is no other"
        _log.error(f"an administrator's platform table is wrong; {instead}", extra=about | fault)
    elif found.state is OverrideState.STALE:
        _log.warning("an override was written for another built-in platform table than this version's", extra=about)
    return found


def _unreadable(error: Exception) -> TableFault:
    """Where a file stops being YAML."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return TableFault(f"line {error.problem_mark.line + 1}", error.problem or "is not YAML")
    return TableFault("file", str(error))


def _log_hashes(found: Mapping[PlatformName, ResolvedTable], built_in: Mapping[PlatformName, PlatformTable]) -> None:
    """Hashes that a session's status and an override name."""
    for platform, each in found.items():
        tables = {"table_hash": each.table, "built_in_table_hash": built_in.get(platform)}
        hashes = {key: table_hash(table) for key, table in tables.items() if table is not None}
        _log.info("platform table", extra={"platform": platform, **hashes})
