"""Opens a session's files: below its folder alone, through no symbolic link, regular files only. Blocking.

The volume's content is the tenants': a link, a pipe or a folder may lie where a file is expected. Each component of a
name is opened by itself, relative to the one before, and none may be a link; what is opened is what is looked at.
"""

import errno
import os
import stat
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

_NOT_THERE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG}
)
"""What ``open`` says of a name under which lies nothing, or nothing that would be handed out."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: a pipe without a writer


class MissingError(Exception):
    """No such session, or no such regular file in its folder."""


class FileState(NamedTuple):
    """What tells a file and its content apart from another one."""

    device: int
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileState":
        """As ``stat`` says it."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class OpenFile:
    """A regular file; read and closed by threads, of which one may still be reading when another closes it."""

    def __init__(self, descriptor: int, state: FileState) -> None:
        self.state = state
        """When it was opened."""
        self._descriptor: int | None = descriptor
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes when it was opened."""
        return self.state.size

    def read(self, at: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``at`` on; none behind the file's end. Raises OSError."""
        with self._lock:
            if self._descriptor is None:
                raise OSError(errno.EBADF, "closed")
            return os.pread(self._descriptor, count, at)

    def close(self) -> None:
        """Give the descriptor back, once no thread reads any more: its number may be another file's at once."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)


class Folder:
    """A session's folder, open while the block runs."""

    def __init__(self, root: Path, session_id: str) -> None:
        """``root``: the namespace's folder of the volume; ``session_id``: without a slash."""
        self._root = root
        self._session_id = session_id
        self._folders: dict[str, int] = {}
        """Folder, relative to the session's, → its descriptor."""

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            MissingError: there is no such session.
            OSError: the volume is not there, or refuses.
        """
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._folders[""] = _opened(self._session_id, _FOLDER, root)
        finally:
            os.close(root)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close all folders that were opened."""
        while self._folders:
            os.close(self._folders.popitem()[1])

    def open(self, name: str) -> OpenFile:
        """A file by its name relative to the folder, as ``segments/00001.mkv``.

        Raises:
            MissingError: no regular file.
            OSError: the volume refuses.
        """
        parent, _, last = name.rpartition("/")
        descriptor = _opened(last, _FILE, self._folder(parent))
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise MissingError(name)
        except BaseException:
            os.close(descriptor)
            raise
        return OpenFile(descriptor, FileState.of(found))

    def size(self, name: str) -> int | None:
        """Bytes of a file; ``None``: there is no regular file of that name. Raises OSError."""
        parent, _, last = name.rpartition("/")
        try:
            found = os.stat(last, dir_fd=self._folder(parent), follow_symlinks=False)
        except MissingError:
            return None
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def named(self, names: Collection[str]) -> Iterator[str]:
        """Those under which a file lies; takes one look per folder, not one per name. Raises OSError."""
        for parent in {name.rpartition("/")[0] for name in names}:
            try:
                descriptor = self._folder(parent)
            except MissingError:
                continue
            prefix = f"{parent}/" if parent else ""
            with os.scandir(descriptor) as entries:  # one by one: a tenant may put any number of files there
                there = (entry for entry in entries if prefix + entry.name in names)
                yield from (prefix + entry.name for entry in there if entry.is_file(follow_symlinks=False))

    def _folder(self, name: str) -> int:
        if name not in self._folders:
            parent, _, last = name.rpartition("/")
            self._folders[name] = _opened(last, _FOLDER, self._folder(parent))
        return self._folders[name]


def _opened(component: str, flags: int, folder: int) -> int:
    if component in ("", ".", "..") or "/" in component or "\0" in component:
        raise MissingError(component)
    try:
        return os.open(component, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise MissingError(component) from None
        raise
