"""How the local parts find their way on a machine: its tools, its Debian mirror, its proxy, the address they share."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.local.clone import REPOSITORY
from tests.local.cluster.host_changes import HostChanges
from tests.local.cluster.paths import Paths as ClusterPaths
from tests.local.images.base import SOURCE, mirrors
from tests.local.machine import address, direct
from tests.local.machine.execute import output
from tests.local.machine.packages import PREREQUISITES
from tests.local.meetings.livekit import LocalMeeting, meeting
from tests.local.meetings.livekit.paths import ADDRESS, Paths

OURS = "http://deb.debian.org/debian"
NEAR = "http://mirror.example/debian"

_BY_NAME = {each.program: each for each in PREREQUISITES}


@pytest.mark.parametrize("program", ["go", "node"])
def test_the_readme_says_which_version_is_wanted(program: str) -> None:
    assert f"{program.capitalize()} {_BY_NAME[program].wanted} " in (REPOSITORY / "README.md").read_text()


def test_the_go_that_is_wanted_builds_every_module() -> None:
    modules = list((REPOSITORY / "tests").rglob("go.mod"))
    assert len(modules) > 3
    demanded = [re.search(r"^go (\S+)$", each.read_text(), re.MULTILINE) for each in modules]
    versions = [tuple(map(int, found[1].split("."))) for found in demanded if found]
    assert len(versions) == len(modules)
    assert _BY_NAME["go"].minimum == max(versions)


@pytest.mark.parametrize(
    ("version", "will_do"),
    [((20, 18), False), ((20, 19), True), ((20, 20, 2), True), ((21, 7), False), ((22, 11), False), ((22, 12), True)],
)
def test_nodes_that_build_the_page(version: tuple[int, ...], will_do: bool) -> None:
    assert _BY_NAME["node"].satisfied(version) == will_do
    lock = next((REPOSITORY / "tests/local/meetings/livekit").rglob("package-lock.json"))
    vite = json.loads(lock.read_text())["packages"]["node_modules/vite"]
    assert vite["engines"]["node"] == "^20.19.0 || >=22.12.0", "what these numbers come from"


def source(address: str, suite: str, of: str = "Debian", label: str = "Debian", component: str = "main") -> str:
    """Of a source, what `apt-cache policy` says."""
    return (
        f" 500 {address} {suite}/{component} amd64 Packages\n"
        f"     release v=12.15,o={of},a=oldstable,n={suite},l={label},c={component},b=amd64\n     origin somewhere\n"
    )


OTHERS = source("https://docker.example/linux/debian", "bookworm", "Docker", "Docker CE", "stable") + source(
    "https://programs.example/debian", "bookworm", "programs.example", "programs"
)


@pytest.mark.parametrize(
    ("policy", "archive", "security"),
    [
        (source(NEAR, "bookworm"), NEAR, f"{NEAR}-security"),
        (source("http://a.example/debian/packages/", "trixie"), "http://a.example/debian/packages", None),
        (
            source("http://b.example/security", "bookworm-security", label="Debian-Security")
            + source(NEAR, "bookworm"),
            NEAR,
            "http://b.example/security",
        ),
        (source(NEAR, "bookworm") + source("http://late.example/debian", "bookworm-updates"), NEAR, None),
        (source("cdrom:[Debian 12]", "bookworm"), OURS, None),
        ("", OURS, None),
    ],
)
def test_the_base_image_comes_from_the_machines_own_mirror(policy: str, archive: str, security: str | None) -> None:
    everything = f"Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n{OTHERS}{policy}Pinned packages:\n"
    assert mirrors(everything) == (archive, security or f"{archive}-security")


def test_mirrors_in_a_list_are_used(tmp_path: Path) -> None:
    (tmp_path / "mirrors.list").write_text(f"{NEAR}\n{OURS}\n")
    assert mirrors(source(f"mirror+file:{tmp_path}/mirrors.list", "bookworm"))[0] == NEAR
    assert mirrors(source("mirror+file:/not/there", "bookworm"))[0] == OURS


def test_debian_says_of_its_mirrors_what_is_understood() -> None:
    said = output("apt-cache", "policy", environment={"LC_ALL": "C"})
    assert {label for _, label in SOURCE.findall(said)} >= {"Debian"}, said


@pytest.mark.parametrize("given", ["", "example.org", "example.org,127.0.0.1"])
@pytest.mark.parametrize("spelling", ["NO_PROXY", "no_proxy"])
def test_this_machines_addresses_need_no_proxy(spelling: str, given: str) -> None:
    environment = {spelling: given, "HTTPS_PROXY": "http://proxy.example:3128"}
    direct.spare(environment)
    assert environment["NO_PROXY"] == environment["no_proxy"], "some read the one first, some the other"
    once = dict(environment)
    direct.spare(environment)
    assert environment == once
    assert environment["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "10.245.0.1" in environment["no_proxy"].split(",")
    assert set(filter(None, given.split(","))) <= set(environment["NO_PROXY"].split(","))
    assert len(environment["NO_PROXY"].split(",")) == len(set(environment["NO_PROXY"].split(",")))


def test_who_uses_no_proxy_at_all_goes_on_so() -> None:
    environment = {"no_proxy": "*"}
    direct.spare(environment)
    assert environment == {"no_proxy": "*", "NO_PROXY": "*"}


def test_what_the_meeting_added_is_left_to_the_cluster_that_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, local = ClusterPaths(tmp_path / "cluster"), LocalMeeting(Paths(tmp_path / "meeting"))
    local.paths.address_mark.parent.mkdir()
    local.paths.address_mark.touch()
    monkeypatch.setattr(meeting, "CLUSTER", cluster)
    monkeypatch.setattr(address, "remove", lambda _: pytest.fail("a running cluster needs it"))
    HostChanges(cluster.host_changes).note("bridge", "mb0")
    local.stop()
    assert HostChanges(cluster.host_changes).things("address") == {ADDRESS: ""}
