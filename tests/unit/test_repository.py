"""Rules of the repository that no other tool checks."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.local.clone import REPOSITORY

TOP_LEVEL = {"pyproject.toml", "README.md", "Makefile", "LICENSE", "operator", "bot-image", "crds", "helm", "tests"}
LOCKS = [
    "operator/requirements.lock",
    "bot-image/requirements.lock",
    "tests/requirements.lock",
    "tests/local/api_clients/python/requirements.lock",
]


def tracked() -> list[str]:
    return subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_the_folder_operator_never_shadows_the_standard_library() -> None:
    assert not (REPOSITORY / "operator" / "__init__.py").exists()
    run = subprocess.run(
        [sys.executable, "-c", "import operator, collections; print(operator.__file__)"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(REPOSITORY) not in run.stdout


def test_nothing_else_stands_at_the_top() -> None:
    surplus = {name.split("/")[0] for name in tracked()} - TOP_LEVEL
    assert all(name.startswith(".") for name in surplus), surplus


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_and_hashes_but_no_addresses(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^--(index|extra-index|find)", text, re.MULTILINE)
    pinned = re.findall(r"^[a-z0-9][^\s=]*==\S+", text, re.MULTILINE)
    assert len(pinned) > 10
    for block in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_every_direct_dependency_says_why_it_is_there() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    project = text[text.index("dependencies = [") : text.index("[tool.hatch.build.targets.wheel]")]
    for line in project.splitlines():
        if line.strip().startswith('"') and "meeting-buddy[" not in line:
            assert "#" in line, line


@pytest.mark.parametrize("page", [name for name in tracked() if name.endswith(".md")])
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    folder = (REPOSITORY / page).parent
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (REPOSITORY / page).read_text()):
        assert (folder / target).exists(), f"{page} links to {target}"
