"""Command ``meeting-buddy-browser``, the main process of container ``browser``; ``--ready`` is its startup probe.

Trusts the administrator's extra certificate authorities, clears what an earlier run of this container left, then
becomes chromedriver. Where the node does not let Chromium make its sandbox, it says so in chromedriver's place:
chromedriver itself would tell the bot only that "Chrome instance exited", and Chromium's words would be lost.

Works under any numeric uid with gid 0 and a read-only root: it writes to HOME and /tmp alone.

If this process dies: the kubelet restarts the container, which starts from the top; the half-made certificate store
is thrown away first.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Final

from meeting_buddy.contract.assignment import CA_FOLDER
from meeting_buddy_bot.browser.chromium import BINARY, SANDBOX_REFUSED, sandbox_fault

PORT: Final = 9515
_READY_SECONDS: Final = 2.5
"""For a startup probe, whose time-out is longer."""
_POLL_SECONDS: Final = 0.05
_LEFTOVERS: Final = ("org.chromium.*", ".org.chromium.*", "scoped_dir*")
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns only with ``--ready``, or when it cannot start."""
    parser = argparse.ArgumentParser(prog="meeting-buddy-browser", description=__doc__)
    parser.add_argument("--ready", action="store_true", help="exit 0 as soon as chromedriver answers")
    parser.add_argument("--port", type=int, default=PORT, help="TCP port on loopback (default %(default)s)")
    parser.add_argument("--ca-folder", type=Path, default=Path(CA_FOLDER), help="extra authorities, *.crt")
    given = parser.parse_args(arguments)
    if given.ready:
        return 0 if wait_answering(given.port) else 1
    home = Path(os.environ["HOME"])
    clear_leftovers(Path(os.environ.get("TMPDIR", "/tmp")))  # noqa: S108  # the container's own emptyDir
    count = trust(given.ca_folder, home / ".pki" / "nssdb")
    print(f"trusting {count} extra certificate authorities", file=sys.stderr, flush=True)  # noqa: T201
    if (fault := find_sandbox_fault()) is not None:
        print(f"Chromium cannot make its sandbox: {fault}", file=sys.stderr, flush=True)  # noqa: T201
        serve_sandbox_fault(given.port, fault)
    # Without --allowed-ips chromedriver listens on loopback alone; an empty list would mean everybody.
    command = ["chromedriver", f"--port={given.port}", "--log-level=WARNING"]
    if os.getpid() == 1:
        command = ["tini", "--", *command]  # chromedriver does not reap Chromium's children
    # Menus and error pages in English, whatever the node speaks.
    os.environ |= {"LANGUAGE": "en_US", "LANG": "C.UTF-8"}
    os.environ["PATH"] = f"{open_nothing(home)}:{os.environ['PATH']}"
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    return 1  # never reached: this process is chromedriver now


def wait_answering(port: int = PORT, seconds: float = _READY_SECONDS) -> bool:
    """Wait until chromedriver answers; a probe that only looked would cost the meeting the rest of its period."""
    deadline = time.monotonic() + seconds
    while not answers(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def answers(port: int = PORT) -> bool:
    """Whether chromedriver answers on this loopback, or what stands in for it: the bot reads there what is wrong."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
            return "ready" in json.load(answer)["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find_sandbox_fault() -> str | None:
    """Chromium's own words when it may not make its sandbox here; ``None`` when it may.

    Chromium is asked only where the namespaces are refused of which its sandbox consists; that test takes 10 ms.
    """
    namespaces = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--net", "--root=/", "true")
    try:
        if subprocess.run(namespaces, capture_output=True, timeout=30).returncode == 0:
            return None
        with tempfile.TemporaryDirectory(prefix="org.chromium.") as profile:
            switches = ("--headless", f"--user-data-dir={profile}", "--dump-dom", "about:blank")
            chromium = subprocess.run((BINARY, *switches), capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None  # whatever it is, it is not said here
    return None if chromium.returncode == 0 else sandbox_fault(chromium.stderr.decode(errors="replace"))


def serve_sandbox_fault(port: int, fault: str) -> None:
    """Answer every request on loopback as a WebDriver that is not ready, with ``fault``; never returns."""
    status = {"ready": False, "message": fault, SANDBOX_REFUSED: fault}

    class Status(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"value": status}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
            """A probe a second is nothing to write down."""

    class Server(ThreadingTCPServer):  # not HTTPServer: it asks name servers for the name of its host
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Status) as server:
        server.serve_forever()


def open_nothing(home: Path) -> Path:
    """A folder for PATH with an ``xdg-open`` that opens nothing.

    Chromium hands it, without asking, the addresses by which launcher pages call a platform's own program
    (``zoommtg:``, ``msteams:``), and where there is one it opens windows over the meeting. A policy that blocks such
    addresses would not do: Chromium shows an error page in place of the launcher.
    """
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "xdg-open"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return folder


def clear_leftovers(folder: Path) -> None:
    """Remove profiles of a Chromium that was killed: /tmp outlives a restart of the container, and is memory."""
    for pattern in _LEFTOVERS:
        for path in folder.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def trust(folder: Path, store: Path) -> int:
    """Make a fresh NSS store with every certificate of ``folder``'s ``*.crt`` (PEM, several in a file) as an authority.

    Chromium on Linux reads its extra authorities from there and nowhere else. Returns how many there are.

    Raises:
        subprocess.CalledProcessError: certutil refused one.
    """
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(mode=0o700, parents=True)
    _certutil(store, "-N", "--empty-password")
    count = 0
    for name, certificate in _certificates(folder):
        _certutil(store, "-A", "-t", "C,,", "-n", name, "-a", given=certificate)
        count += 1
    return count


def _certificates(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.crt")):
        for number, found in enumerate(_CERTIFICATE.findall(path.read_text())):
            yield f"{path.stem}-{number}", found


def _certutil(store: Path, *arguments: str, given: str | None = None) -> None:
    subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], input=given, text=True, check=True, timeout=30)


if __name__ == "__main__":
    sys.exit(main())
