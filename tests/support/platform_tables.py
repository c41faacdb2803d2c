"""The product's own platform tables, as the tests read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from meeting_buddy.contract.table import PlatformTable, table_hash
from meeting_buddy.contract.table_override import OverrideState, resolve
from meeting_buddy.contract.table_reader import load_table
from tests.local.clone import PLATFORM_TABLES


def platform_table(name: str, override: Mapping[str, Any] | None = None) -> PlatformTable:
    """The table of `bot-image/…/platforms/<name>.yaml`.

    With `override`, what the operator makes of it with an administrator's document that has these parts.

    Raises:
        ValueError: the operator would not use the document.
    """
    built_in = load_table(yaml.load((PLATFORM_TABLES / f"{name}.yaml").read_bytes(), Loader=yaml.CSafeLoader))
    if override is None:
        return built_in
    document = {"platform": str(built_in.platform), "tableHash": table_hash(built_in), **override}
    resolved = resolve(document, built_in.platform, built_in)
    if resolved.table is None or resolved.state is not OverrideState.USED:
        raise ValueError(str(resolved.fault))
    return resolved.table
