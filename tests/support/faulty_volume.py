"""A volume that stops answering, or goes away, when a test says so: a FUSE file system over a folder.

The kernel, not a fake, is what makes callers wait: whoever reads, writes, lists or asks for free room sleeps in a
system call until the volume answers again, as on a network volume whose server is gone.

Runs as a process of its own: ``python -m tests.support.faulty_volume FOLDER MOUNT_POINT``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.local.clone import REPOSITORY

_SECONDS = 60.0

_HEEDED = b"heeded\n"


class FaultyVolume:
    """A mounted volume under a test's control."""

    def __init__(self, process: subprocess.Popen[bytes], mount_point: Path) -> None:
        self._process = process
        self._mount_point = mount_point

    def hang(self) -> None:
        """Answer nothing from now on."""
        assert self._heeds(signal.SIGUSR1)

    def hang_writes(self) -> None:
        """Answer who lists, reads and makes files, and nobody who puts bytes into one."""
        assert self._heeds(signal.SIGHUP)

    def answer(self) -> None:
        """Answer again, also what waited; without effect once it is gone."""
        if self._process.poll() is None:
            self._heeds(signal.SIGUSR2)

    def _heeds(self, what: signal.Signals) -> bool:
        """Send a signal and wait until it counts; false: the process has ended."""
        assert self._process.stdout is not None
        self._process.send_signal(what)
        return self._process.stdout.readline() == _HEEDED

    def vanish(self) -> None:
        """Be gone for good: every call fails with ENOTCONN."""
        self._process.kill()
        self._process.wait()


@contextmanager
def faulty_volume(mount_point: Path, folder: Path) -> Iterator[FaultyVolume]:
    """Mount ``folder`` over ``mount_point`` for the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.faulty_volume", str(folder), str(mount_point)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + _SECONDS
    while not os.path.ismount(mount_point):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the file system was not mounted")
        time.sleep(0.02)
    volume = FaultyVolume(process, mount_point)
    try:
        yield volume
    finally:
        volume.answer()
        subprocess.run(["umount", "--lazy", str(mount_point)], check=True)
        process.kill()
        process.wait()


def _serve(folder: str, mount_point: str) -> None:
    import mfusepy  # needs libfuse, which only this process does

    answering = threading.Event()
    answering.set()
    taking = threading.Event()
    taking.set()

    class Passthrough(mfusepy.Operations):  # type: ignore[misc]  # mfusepy has no types
        """Hands everything on to ``folder``, as long as it answers."""

        use_ns = True

        def __getattribute__(self, name: str) -> Any:
            """Each operation as it is asked for: it waits here while the volume does not answer."""
            found = super().__getattribute__(name)
            if callable(found) and not name.startswith("_"):
                answering.wait()
                if name in ("write", "fsync"):
                    taking.wait()
            return found

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            found = os.lstat(folder + path)
            fields = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_blocks")
            times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
            return {name: getattr(found, name) for name in fields} | times

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *os.listdir(folder + path)]  # noqa: PTH208

        def statfs(self, path: str) -> dict[str, int]:
            found = os.statvfs(folder + path)
            names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize")
            return {name: getattr(found, name) for name in names}

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            descriptor = os.open(folder + path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
            self.chown(path, *mfusepy.fuse_get_context()[:2])
            return descriptor

        def open(self, path: str, flags: int) -> int:
            return os.open(folder + path, flags & ~os.O_APPEND)  # the kernel sends the offset with each write

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return os.pwrite(fh, data, offset)

        def mkdir(self, path: str, mode: int) -> None:
            os.mkdir(folder + path, mode)  # noqa: PTH102
            self.chown(path, *mfusepy.fuse_get_context()[:2])

        def rename(self, old: str, new: str) -> None:
            os.rename(folder + old, folder + new)  # noqa: PTH104

        def unlink(self, path: str) -> None:
            os.unlink(folder + path)  # noqa: PTH108

        def truncate(self, path: str, length: int, fh: int | None = None) -> None:
            os.truncate(folder + path, length)

        def fsync(self, path: str, datasync: int, fh: int) -> None:
            os.fsync(fh)

        def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
            """Nothing to do: the folder below is the test's."""

        def release(self, path: str, fh: int) -> None:
            os.close(fh)

        def chmod(self, path: str, mode: int) -> None:
            os.chmod(folder + path, mode)  # noqa: PTH101

        def chown(self, path: str, uid: int, gid: int) -> None:
            os.chown(folder + path, uid, gid)

        def access(self, path: str, mode: int) -> None:
            """Everything is allowed, as on a volume whose group fits."""

    def heed(number: int, _: object) -> None:
        if number == signal.SIGUSR1:
            answering.clear()
        elif number == signal.SIGHUP:
            taking.clear()
        else:
            answering.set()
            taking.set()
        os.write(sys.stdout.fileno(), _HEEDED)

    signal.signal(signal.SIGUSR1, heed)
    signal.signal(signal.SIGUSR2, heed)
    signal.signal(signal.SIGHUP, heed)
    serving = threading.Thread(
        target=lambda: mfusepy.FUSE(
            Passthrough(), mount_point, foreground=True, allow_other=True, attr_timeout=0, entry_timeout=0
        ),
        daemon=True,
    )
    serving.start()
    while serving.is_alive():  # signals are handled here, in the main thread
        serving.join(0.05)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
