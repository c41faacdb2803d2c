"""Container `browser` on this machine, without Kubernetes: the product's own command, as an unprivileged user.

Names of hosts come from a hosts file, and authorities from a folder, as they do in the pod (hostAliases, ConfigMap):
the file is bound over `/etc/hosts` in a mount namespace of the container's own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from meeting_buddy.contract.assignment import RecordingConfig
from meeting_buddy_bot.browser import container
from meeting_buddy_bot.recording.plan import screen_size
from tests.local.clone import REPOSITORY
from tests.local.machine.process import command_lines
from tests.support.unprivileged import NO_USER_NAMESPACES, UID

SCREEN = screen_size(RecordingConfig())
"""Of a bot that records as by default."""
_PATIENCE = 90.0  # seconds for chromedriver to answer on a loaded machine


class BrowserContainer:
    """Starts and restarts chromedriver on `port`; `restart` does what the kubelet does after the container's death."""

    def __init__(
        self,
        folder: Path,
        port: int,
        display: str,
        *,
        authorities: Sequence[Path] = (),
        sound: str | None = None,
        user_namespaces: bool = True,
    ) -> None:
        self.port = port
        self.folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{REPOSITORY}/operator:{REPOSITORY}/bot-image:{REPOSITORY}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "DISPLAY": display,
            **({"PULSE_SERVER": sound} if sound else {}),
            **({} if user_namespaces else {NO_USER_NAMESPACES: "1"}),
        }
        for name in ("home", "tmp"):
            (folder / name).mkdir()
            os.chown(folder / name, UID, 0)
        (folder / "ca").mkdir()
        for authority in authorities:
            shutil.copy(authority, folder / "ca")
        self._process: subprocess.Popen[bytes] | None = None
        self._hosts: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """Of chromedriver."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, hosts: Mapping[str, str]) -> None:
        """Start with these names of hosts; returns when chromedriver takes a session."""
        self._hosts = hosts
        aliases = self.folder / "hosts"
        aliases.write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in hosts.items()))
        command = [
            *("unshare", "--mount", "--propagation", "private", "--"),
            *("sh", "-c", 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/chromium && shift && exec "$@"'),
            *(str(aliases), str(self._settings())),
            *(sys.executable, "-P", "-m", "tests.support.unprivileged"),
            *(f"--port={self.port}", f"--ca-folder={self.folder / 'ca'}"),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while not container.answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"chromedriver did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _settings(self) -> Path:
        """What stands in the image's `/etc/chromium`: Debian's part, and our policy."""
        settings = self.folder / "chromium"
        if not settings.is_dir():
            shutil.copytree("/etc/chromium", settings)
            (settings / "policies" / "managed").mkdir(parents=True)
            shutil.copy(REPOSITORY / "bot-image" / "chromium-policy.json", settings / "policies" / "managed")
        return settings

    def ended(self) -> bool:
        """Whether chromedriver has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def restart(self) -> None:
        """Start again after `kill`, as the kubelet does."""
        self.start(self._hosts)

    def chromium(self) -> list[int]:
        """Process ids of all Chromium processes of this container, the browser's own first."""
        parents: dict[int, int] = {}
        for pid, line in command_lines():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if line.startswith(b"/usr/lib/chromium/chromium"):
                    parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        ours = [pid for pid in parents if parents[pid] not in parents and self._is_ours(pid)]
        for pid in ours:  # grows while it is walked: children of children
            ours += (child for child, parent in parents.items() if parent == pid)
        return ours

    def kill(self) -> None:
        """SIGKILL all of it, as an out-of-memory kill of the container does."""
        chromium = self.chromium()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pid in chromium:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        # HOME tells our browser from another test's; only the browser process itself keeps its environment readable.
        try:
            return f"HOME={self.folder / 'home'}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # it ended meanwhile
            return False


@contextlib.contextmanager
def screen_process(width: int = 1280, height: int = 720) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An Xvfb on a free display; its address and its process."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            yield f":{int(answer.readline())}", process
    finally:
        process.send_signal(signal.SIGCONT)  # a test may have stopped it
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def virtual_screen(width: int = 1280, height: int = 720) -> Iterator[str]:
    """An Xvfb on a free display; its address."""
    with screen_process(width, height) as (address, _):
        yield address


@contextlib.contextmanager
def readable_folder() -> Iterator[Path]:
    """A temporary folder that the unprivileged user can enter (pytest's own are private to root)."""
    with tempfile.TemporaryDirectory(prefix="mb-browser-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
