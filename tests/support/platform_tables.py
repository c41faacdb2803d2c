"""The product's own platform tables, as the tests read them."""

from __future__ import annotations

import yaml

from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.table_reader import load_table
from tests.local.clone import PLATFORM_TABLES


def platform_table(name: str) -> PlatformTable:
    """The table of `bot-image/…/platforms/<name>.yaml`."""
    return load_table(yaml.safe_load((PLATFORM_TABLES / f"{name}.yaml").read_text()))
