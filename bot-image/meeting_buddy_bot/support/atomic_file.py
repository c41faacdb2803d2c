"""Files that are whole or not there, and that stay once they were said to be there. Blocking."""

import os
from pathlib import Path


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file beside it, put it on the disk and give it its name; readers see the old one or the new one.

    Raises:
        OSError: the volume did not take it.
    """
    tmp_path = path.with_name(f".{path.name}")
    with tmp_path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    tmp_path.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries (new names, renames) on the disk for good."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
