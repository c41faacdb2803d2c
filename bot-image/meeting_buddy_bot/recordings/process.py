"""The reader's process: listens until SIGTERM, then lets running downloads end, for a while."""

import asyncio
import logging
import signal
from pathlib import Path

from meeting_buddy.contract.redaction import Redactor
from meeting_buddy_bot.recordings.server import RecordingsServer
from meeting_buddy_bot.support import logs

_log = logging.getLogger(__name__)


def serve(folder: Path, key_file: Path, host: str | None, port: int) -> None:
    """Serve ``folder`` until SIGTERM or SIGINT.

    Args:
        folder: the namespace's folder of the volume.
        key_file: with the 32 bytes of the namespace's key.
        host: address to listen on; ``None``: all.
        port: likewise.

    Raises:
        OSError: the port is taken.
    """
    logs.configure(Redactor())
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # its errors quote the head of a request, tokens and all
    asyncio.run(_serve(RecordingsServer(folder, key_file), host, port))


async def _serve(server: RecordingsServer, host: str | None, port: int) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await server.start(host, port)
    _log.info("recordings reader listens on port %d", port)
    try:
        await stop.wait()
    finally:
        await server.stop()
    _log.info("ended")
