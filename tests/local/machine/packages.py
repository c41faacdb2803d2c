"""The Debian packages that this repository's local parts need, each with its reason, and how they get installed.

`python -m tests.local.machine.packages` installs them.

Debian starts a service as soon as it is installed; etcd, containerd, nginx and docker-registry would then hold ports of
a machine that may run its own. They are installed with their start denied (`/usr/sbin/policy-rc.d`, exit 101).

If this process dies: what dpkg was at is finished by the next `ensure()`, before anything else is installed. The denial
that we left behind carries our mark; the next `ensure()` takes it away, or puts back the file that was there before.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.local.machine import cli_errors
from tests.local.machine.cli_errors import CliError
from tests.local.machine.execute import CommandFailedError, narrated
from tests.local.machine.lock import exclusive
from tests.local.machine.progress import step


@dataclass(frozen=True, slots=True)
class Package:
    """One Debian package: its name, why we need it, and the programs of it that we execute."""

    name: str
    reason: str
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """A toolchain that the machine must bring along: Debian's own is too old, and picking a vendor is not ours."""

    program: str
    version_argv: tuple[str, ...]
    minimum: tuple[int, ...]
    reason: str
    older: tuple[int, ...] | None = None
    """An older major version that does, too, from this release of it on."""

    @property
    def wanted(self) -> str:
        """Which versions do, for people: `≥ 22.12 or 20.19`."""
        numbers = (".".join(map(str, each)) for each in (self.minimum, self.older) if each is not None)
        return f"≥ {' or '.join(numbers)}"

    def satisfied(self, found: tuple[int, ...]) -> bool:
        """Whether this version does."""
        return found >= self.minimum or (self.older is not None and found >= self.older and found[0] == self.older[0])


def _least_go() -> tuple[int, ...]:
    """The newest Go that one of the modules here demands: none is fetched, so that it has to be there."""
    modules = Path(__file__).parents[1].rglob("go.mod")
    demanded = [re.search(r"^go ([0-9.]+)$", each.read_text(), re.MULTILINE) for each in modules]
    return max(tuple(map(int, found.group(1).split("."))) for found in demanded if found is not None)


DEBIAN: tuple[Package, ...] = (
    # The local cluster
    Package("etcd-server", "stores what the API server knows", ("etcd",)),
    Package("containerd", "runs the pods", ("containerd", "ctr", "containerd-shim-runc-v2")),
    Package("runc", "starts the containers (crun refuses the hybrid cgroup layout)", ("runc",)),
    Package("containernetworking-plugins", "the pods' bridge, addresses and port mappings"),
    Package("iptables", "the cluster's firewall and kube-proxy's service rules", ("iptables", "iptables-restore")),
    Package("iproute2", "the node's address, the bridge, left-over network namespaces", ("ip",)),
    Package("conntrack", "kube-proxy forgets connections to pods that are gone"),
    Package("ipset", "kube-proxy's sets"),
    Package("socat", "kubectl port-forward"),
    Package("dnsmasq-base", "the cluster's name server", ("dnsmasq",)),
    Package("mount", "mounts of dead pods are taken down", ("mount", "umount")),
    Package("docker-registry", "the node's image registry, on 127.0.0.1:5000", ("docker-registry",)),
    # Images
    Package("buildah", "builds the images from ordinary Dockerfiles", ("buildah",)),
    Package("mmdebstrap", "makes debian:bookworm-slim where no registry can be reached", ("mmdebstrap",)),
    Package("ca-certificates", "HTTPS to the package registries while building"),
    # The bot on this machine, without a cluster
    Package("chromium", "the browser that joins a meeting", ("chromium",)),
    Package("chromium-driver", "drives it", ("chromedriver",)),
    Package("xvfb", "its display", ("Xvfb",)),
    Package("pulseaudio", "its sound", ("pulseaudio",)),
    Package("pulseaudio-utils", "asks PulseAudio what plays, and listens", ("pactl", "parec", "paplay")),
    Package("ffmpeg", "records and verifies media", ("ffmpeg", "ffprobe", "ffplay")),
    Package("libnss3-tools", "puts a certificate authority into Chromium's store", ("certutil",)),
    Package("tini", "reaps Chromium's children", ("tini",)),
    Package("fuse3", "a volume that stops answering, for the tests"),
    Package("faketime", "a wall clock that is set, for the tests"),
    Package("fonts-dejavu-core", "text on the pages that are recorded"),
    # The local meeting
    Package("nginx", "the meeting's TLS proxy", ("nginx",)),
    # This repository
    Package("git", "version of the tree; an unchanged tree is not built again", ("git",)),
    Package("make", "the commands of the Makefile", ("make",)),
    Package("python3-minimal", "Debian's own Python; the images run the same", ("python3",)),
    Package("python3-venv", "the virtual environments"),
    # On every Debian machine; listed because every program that we execute is
    Package("apt", "installs the others", ("apt-get", "apt-cache")),
    Package("dpkg", "says what is installed", ("dpkg", "dpkg-query")),
    Package("coreutils", "builds step back behind everything else", ("nice", "mkdir", "sleep")),
    Package("util-linux", "processes that end with their parent, and without privileges", ("setpriv", "unshare")),
    Package("curl", "asks the HTTP API as the README says"),
    Package("dash", "the shell", ("sh",)),
)

PREREQUISITES: tuple[Prerequisite, ...] = (
    Prerequisite("go", ("go", "env", "GOVERSION"), _least_go(), "builds Kubernetes and LiveKit from pinned modules"),
    Prerequisite("node", ("node", "--version"), (22, 12), "builds the page of the local meeting", older=(20, 19)),
    Prerequisite("npm", ("npm", "--version"), (9,), "fetches that page's pinned packages"),
)

_ELSEWHERE = 'On any other machine use a cluster of your own: see "Install it on your own cluster" in README.md.'
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_BEFORE = Path("/usr/sbin/policy-rc.d.before-meeting-buddy")
_POLICY_MARK = "written by Meeting Buddy while it installs packages"
_LOCK = Path("/run/lock/meeting-buddy-packages")
"""The denial is the machine's: another clone's installation must not end this one's."""
_INTERRUPTED = Path("/var/lib/dpkg/updates")
"""Not empty while dpkg was killed at its work: until that is finished, apt refuses."""
_NOT_ASKING = {"DEBIAN_FRONTEND": "noninteractive"}


class MachineUnsuitableError(CliError):
    """This machine cannot carry the local cluster; the message says what is missing and what to do."""


def ensure(packages: Sequence[Package] = DEBIAN) -> list[str]:
    """Install what is missing of `packages`; return the names that were installed (empty when all were there).

    Says beforehand what it will install.  Raises `MachineUnsuitableError` when this is not Debian 12 or later, not
    root, or a prerequisite (Go, Node) is missing; `CommandFailedError` when apt fails twice.
    """
    check_machine()
    with exclusive(_LOCK, "the installation of Debian packages"):
        return _install_missing(packages)


def _install_missing(packages: Sequence[Package]) -> list[str]:
    _clear_left_over_policy()
    missing = [package for package in packages if package.name not in _installed()]
    if not missing:
        return []
    names = [package.name for package in missing]
    print(f"Installing {len(names)} Debian packages (services stay stopped):", flush=True)
    for package in missing:
        print(f"  {package.name:28} {package.reason}", flush=True)
    with step("Debian packages") as line, _service_start_denied():
        if _INTERRUPTED.is_dir() and any(_INTERRUPTED.iterdir()):
            narrated("dpkg", "--configure", "-a", log="dpkg", environment=_NOT_ASKING)
        _apt_install(names)
        line.note = f"{len(names)} installed"
    return names


def check_machine() -> None:
    """Raise `MachineUnsuitableError` unless this is Debian >= 12, root, with Go, Node and npm of a sufficient age."""
    release = _os_release()
    if release.get("ID") != "debian" or int(release.get("VERSION_ID", "0").split(".")[0] or 0) < 12:
        found = release.get("PRETTY_NAME", "an unknown system")
        raise MachineUnsuitableError(f"The local cluster needs Debian 12 or later; this is {found}. {_ELSEWHERE}")
    if os.geteuid() != 0:
        raise MachineUnsuitableError(f"The local cluster needs root (mounts, iptables, cgroups). {_ELSEWHERE}")
    lacking = [text for text in map(_lacking, PREREQUISITES) if text]
    if lacking:
        raise MachineUnsuitableError("Please install first:\n" + "\n".join(f"  {text}" for text in lacking))


def _lacking(prerequisite: Prerequisite) -> str | None:
    text = f"{prerequisite.program} {prerequisite.wanted} ({prerequisite.reason})"
    if shutil.which(prerequisite.program) is None:
        return f"{text}: not found"
    # Outside any Go module, so that a `toolchain` line cannot send `go` to the network for another version.
    run = subprocess.run(prerequisite.version_argv, cwd="/", capture_output=True, text=True, check=False)
    numbers = re.search(r"(\d+(?:\.\d+)*)", run.stdout)
    if numbers is None:
        return f"{text}: its version cannot be read"
    found = tuple(int(part) for part in numbers.group(1).split("."))
    return None if prerequisite.satisfied(found) else f"{text}: found {numbers.group(1)}"


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _installed() -> set[str]:
    if shutil.which("dpkg-query") is None:
        return set()
    run = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}\t${Package}\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split("\t") for line in run.stdout.splitlines())
    return {name for status, name in rows if status.startswith("ii")}


def _apt_install(names: Sequence[str]) -> None:
    options = ("--yes", "--no-install-recommends")
    if not all(_has_candidate(name) for name in names):
        _apt("update")
    try:
        _apt("install", *options, *names)
    except CommandFailedError:  # package lists that have aged name files which are gone from the mirror
        _apt("update")
        _apt("install", *options, *names)


def _apt(command: str, *arguments: str) -> None:
    # fmt: off
    narrated(
        "apt-get", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Use-Pty=0", "--quiet", command, *arguments,
        log=f"apt-{command}", environment=_NOT_ASKING,
    )
    # fmt: on


def _has_candidate(name: str) -> bool:
    run = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False)
    return "Candidate:" in run.stdout and "Candidate: (none)" not in run.stdout


@contextmanager
def _service_start_denied() -> Iterator[None]:
    if _POLICY.exists() or _POLICY.is_symlink():
        _POLICY.rename(_POLICY_BEFORE)
    aside = _POLICY.with_name("policy-rc.d.new")
    aside.write_text(f"#!/bin/sh\n# {_POLICY_MARK}\nexit 101\n")
    aside.chmod(0o755)
    aside.rename(_POLICY)
    try:
        yield
    finally:
        _clear_left_over_policy()


def _clear_left_over_policy() -> None:
    if _POLICY.is_file() and _POLICY_MARK in _POLICY.read_text(errors="replace"):
        _POLICY.unlink()
    if _POLICY_BEFORE.exists() and not _POLICY.exists():
        _POLICY_BEFORE.rename(_POLICY)


def _main() -> int:
    ensure()
    return 0


if __name__ == "__main__":
    cli_errors.run(_main)
