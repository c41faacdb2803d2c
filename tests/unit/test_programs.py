"""Every program that this repository executes comes with a Debian package of the install list, or is a prerequisite.

A machine that happens to have a program hides that nobody installs it; the next machine does not.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.clone import REPOSITORY
from tests.local.machine.packages import DEBIAN, PREREQUISITES, Package

_ROOMS = ("operator", "bot-image", "tests")
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # not the caller's, which may put other builds of a program first

_DECLARED = {program for package in DEBIAN for program in package.programs} | {each.program for each in PREREQUISITES}

_IN_PODS = {"python"}
"""What only pods execute: it comes with their image."""

_EXECUTORS = {"output", "narrated", "succeeds", "which", "create_subprocess_exec", "execvp", "execv", "_unprivileged"}
"""Callables whose first argument is a program and whose others are its arguments."""

_RUNNERS = {"run", "Popen", "check_output", "check_call", "call", "Process"}
"""Callables that take a whole command line, a list or a tuple."""


def executed(source: str) -> set[str]:
    """The programs that a module names where one is executed.

    A command line is a list or tuple that a runner is called with, that is bound or returned as one (`argv`,
    `command`), or in which a later word is an option; its first word is the program. Programs that are not literals
    (`sys.executable`, what was built here) have no package to name.
    """
    return {word for node in ast.walk(ast.parse(source)) for word in _programs(node) if not word.startswith("-")}


def _programs(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name in _EXECUTORS and node.args:
            yield from _literal(node.args[0])
        if name in _RUNNERS:
            for argument in (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "argv")):
                yield from _first(argument)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and any(_name(target).strip("_") in ("argv", "command") for target in targets):
            yield from _first(node.value)
    elif isinstance(node, ast.List | ast.Tuple) and any(_option(element) for element in node.elts[1:]):
        yield from _first(node)


def _first(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.List | ast.Tuple) and node.elts:
        yield from _literal(node.elts[0])


def _literal(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _option(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return any(len(word) > 1 and word.startswith("-") for word in _literal(node))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _sources() -> list[Path]:
    found = (path for room in _ROOMS for path in (REPOSITORY / room).rglob("*.py"))
    return sorted(path for path in found if "node_modules" not in path.parts)


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_program_that_a_module_executes_is_installed_by_us(path: Path) -> None:
    undeclared = executed(path.read_text()) - _DECLARED - _IN_PODS
    assert not undeclared, (
        f"{path.relative_to(REPOSITORY)} executes {sorted(undeclared)}: "
        "name the Debian package and the program in tests/local/machine/packages.py"
    )


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ('subprocess.run(["xdotool", "key"])', {"xdotool"}),
        ('subprocess.Popen(("xdotool",))', {"xdotool"}),
        ('output("xdotool", "key", "a")', {"xdotool"}),
        ('narrated("xdotool", "key", log="keys")', {"xdotool"}),
        ('asyncio.create_subprocess_exec("xdotool", "key")', {"xdotool"}),
        ('argv = ("xdotool", *words)', {"xdotool"}),
        ('return ["xdotool", "--sync"]', {"xdotool"}),
        ('Process("name", ("xdotool", "key"), log, folder)', {"xdotool"}),
        ('subprocess.run([sys.executable, "-m", "module"])', set()),
        ('words = ["--flag", "--other"]', set()),
        ('names = ("one", "two")', set()),
    ],
)
def test_the_scan_sees_a_program_wherever_one_is_executed(line: str, programs: set[str]) -> None:
    assert executed(f"def function():\n    {line}\n") == programs


@pytest.mark.parametrize("package", [each for each in DEBIAN if each.programs], ids=lambda each: each.name)
def test_a_package_has_the_programs_that_it_is_listed_for(package: Package) -> None:
    for program in package.programs:
        place = shutil.which(program, path=_SYSTEM_PATH)
        if place is None:
            pytest.skip(f"{package.name} is not installed on this machine")
        assert package.name in _owners(Path(place)), f"{program} is not of {package.name}"


def _owners(place: Path) -> set[str]:
    """The packages that own a program; on Debian /bin is /usr/bin, and a package may know it by either name."""
    real = place.resolve()
    names = {
        name for each in (place, real) for name in (each, Path("/usr") / each.relative_to("/"), _without_usr(each))
    }
    run = subprocess.run(["dpkg-query", "--search", *map(str, names)], capture_output=True, text=True, check=False)
    return {line.split(":")[0] for line in run.stdout.splitlines()}


def _without_usr(path: Path) -> Path:
    return Path("/") / path.relative_to("/usr") if path.is_relative_to("/usr") else path
