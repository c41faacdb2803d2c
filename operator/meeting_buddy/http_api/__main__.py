"""``python -m meeting_buddy.http_api``: the HTTP API's process."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from functools import partial
from typing import Final

from meeting_buddy.contract.links import PlatformName
from meeting_buddy.contract.table_override import ResolvedTable
from meeting_buddy.http_api import settings
from meeting_buddy.http_api.app import build
from meeting_buddy.http_api.bots import Bots
from meeting_buddy.http_api.documents import Platforms
from meeting_buddy.http_api.finding import Finder
from meeting_buddy.http_api.media_access import MediaAccess
from meeting_buddy.http_api.metrics import Metrics
from meeting_buddy.http_api.readers import Readers
from meeting_buddy.http_api.server import serve
from meeting_buddy.http_api.service import Sessions
from meeting_buddy.http_api.transcripts import LiveTranscripts
from meeting_buddy.kube.caller import CallerApi
from meeting_buddy.process import logs
from meeting_buddy.resource.config_files import load_installation, load_tables
from meeting_buddy.resource.installation import Installation

GONE_AFTER: Final = 15.0
"""Seconds after SIGTERM; answers under way have ten of them."""


def main() -> int:
    """Entry point; exit status 0 after SIGTERM, 2 for wrong usage, 1 after anything else."""
    found = settings.parse(sys.argv[1:])
    logs.configure(found.log_level)
    try:
        asyncio.run(_run(found))
    except (OSError, ValueError) as error:
        logging.getLogger("meeting_buddy").error("cannot start", extra={"error": str(error)})
        return 1
    return 0


async def _run(found: settings.Settings) -> None:
    """Serve until the process is told to end."""
    installation = load_installation(found.installation)
    platforms = _platforms(installation, load_tables(found.tables))
    ending, metrics = asyncio.Event(), Metrics()
    api = CallerApi(found.api_server, found.ca_file, partial(metrics.upstream, "kubernetes"))
    bots = Bots(found.read_key, observe=partial(metrics.upstream, "bot"))
    readers = Readers(found.read_key, found.readers, observe=partial(metrics.upstream, "reader"))
    finder = Finder(api, found.default_namespace)
    service = Sessions(api, finder, platforms, found.created_by_policy, watched=found.watched_namespaces)
    media = MediaAccess(api, finder, LiveTranscripts(bots), readers, _unread(installation))
    try:
        app = build(finder, service, media, ending, metrics=metrics)
        await serve(app, found, ending, metrics=metrics, gone_after=GONE_AFTER)
    finally:
        await readers.close()
        await bots.close()
        await api.close()


def _platforms(installation: Installation, tables: Mapping[PlatformName, ResolvedTable]) -> Platforms:
    """What links may lead to, as the operator has it: by its own tables, and to the installation's own hosts."""
    found = {platform: each.table.self_hosted for platform, each in tables.items() if each.table is not None}
    kinds = {platform: kind for platform, kind in found.items() if kind is not None}
    return Platforms(installation.self_hosted.hosts, kinds)


def _unread(installation: Installation) -> frozenset[str]:
    """Bot classes whose files are on another claim than that of the class ``default``, which readers serve."""
    classes = installation.bot_classes
    served = classes["default"].storage.claim
    return frozenset(name for name, each in classes.items() if each.storage.claim != served)


if __name__ == "__main__":
    sys.exit(main())
