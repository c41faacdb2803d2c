"""The platform tables that this version has built in."""

from importlib import resources

import yaml

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.table import PlatformTable
from meeting_buddy.contract.table_reader import load_table


def built_in_table(platform: PlatformName) -> PlatformTable | None:
    """The platform's own table; ``None`` where there is none."""
    file = resources.files("meeting_buddy_bot.platforms").joinpath(f"{platform.lower()}.yaml")
    return load_table(yaml.safe_load(file.read_text())) if file.is_file() else None
