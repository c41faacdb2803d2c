"""Command ``meeting-buddy-browser``, the main process of container ``browser``; ``--ready`` is its startup probe.

Trusts the administrator's extra certificate authorities, clears what an earlier run of this container left, then
becomes chromedriver. Works under any numeric uid with gid 0 and a read-only root: it writes to HOME and /tmp alone.

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
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from meeting_buddy.contract.assignment import CA_FOLDER

PORT: Final = 9515
_LEFTOVERS: Final = ("org.chromium.*", ".org.chromium.*", "scoped_dir*")
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns only with ``--ready``, or when it cannot start."""
    parser = argparse.ArgumentParser(prog="meeting-buddy-browser", description=__doc__)
    parser.add_argument("--ready", action="store_true", help="exit 0 when chromedriver takes a session")
    parser.add_argument("--port", type=int, default=PORT, help="TCP port on loopback (default %(default)s)")
    parser.add_argument("--ca-folder", type=Path, default=Path(CA_FOLDER), help="extra authorities, *.crt")
    given = parser.parse_args(arguments)
    if given.ready:
        return 0 if is_ready(given.port) else 1
    home = Path(os.environ["HOME"])
    clear_leftovers(Path(os.environ.get("TMPDIR", "/tmp")))  # noqa: S108  # the container's own emptyDir
    count = trust(given.ca_folder, home / ".pki" / "nssdb")
    print(f"trusting {count} extra certificate authorities", file=sys.stderr, flush=True)  # noqa: T201
    # Without --allowed-ips chromedriver listens on loopback alone; an empty list would mean everybody.
    command = ["chromedriver", f"--port={given.port}", "--log-level=WARNING"]
    if os.getpid() == 1:
        command = ["tini", "--", *command]  # chromedriver does not reap Chromium's children
    # Menus and error pages in English, whatever the node speaks.
    os.environ |= {"LANGUAGE": "en_US", "LANG": "C.UTF-8"}
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    return 1  # never reached: this process is chromedriver now


def is_ready(port: int = PORT) -> bool:
    """Whether chromedriver on this loopback takes a new session."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/status", timeout=2) as answer:
            return json.load(answer)["value"]["ready"] is True
    except (OSError, ValueError, KeyError):
        return False


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
