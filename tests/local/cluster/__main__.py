"""`python -m tests.local.cluster up | down | status | images`: the local cluster from the command line."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from tests.local import images
from tests.local.cluster import commands, flow
from tests.local.cluster.paths import HERE
from tests.local.machine import cli_errors
from tests.local.machine.cli_errors import CliError
from tests.local.machine.progress import step


def main() -> int:
    """Run the command that was asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "images"))
    asked = parser.parse_args()
    run = {"up": _up, "down": _down, "status": _status, "images": _images}[asked.command]
    return run()


def _up() -> int:
    began = time.monotonic()
    flow.up()
    print(f"\nThe local cluster is up ({time.monotonic() - began:.0f} s).")
    _how_to_look_around()
    return 0


def _down() -> int:
    flow.down()
    print("\nThe local cluster is gone, with everything that it made. Caches stay.")
    return 0


def _status() -> int:
    if not HERE.root.exists():
        print("There is no local cluster on this machine: `make cluster` makes one.")
        return 1
    healthy = True
    for part in flow.components():
        ready = part.ready()
        healthy = healthy and ready
        print(f"  {part.name:28} {'ready' if ready else 'NOT READY'}")
    print()
    _how_to_look_around()
    return 0 if healthy else 1


def _images() -> int:
    registry = os.environ.get("REGISTRY")
    push = os.environ.get("PUSH", "") not in ("", "0")
    model = Path(os.environ["MODEL"]) if os.environ.get("MODEL") else None
    tag = os.environ.get("TAG") or None
    kubectl = None if registry else flow.up().kubectl
    lacking = [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]
    if lacking:
        raise CliError(
            f"Please install first: {' '.join(lacking)} (Debian's packages have these names). Any other builder does "
            "as well: docker build -f operator/Dockerfile . and docker build --build-context model=FOLDER "
            "-f bot-image/Dockerfile . (FOLDER: a speech model, see bot-image/README.md)."
        )
    for name in images.IMAGES:
        if registry and name == "contract-bot":
            continue  # a test's bot, of no use in anybody's registry
        with step(f"image {name}") as line:
            ref = images.publish(name, registry, push=push, model=model, tag=tag) if registry else images.build(name)
            line.note = str(ref)
    if kubectl is not None:
        seconds = images.iteration_time(kubectl)
        print(f"\nA one-line change of the bot is in a new running pod after {seconds:.1f} s.")
    return 0


def _how_to_look_around() -> None:
    print("Look around:")
    print(f"  {commands.for_a_shell()}")
    print("  kubectl get pods --all-namespaces")
    print(f"Logs of its components: {HERE.logs}")
    print("Remove it: make cluster-down")


if __name__ == "__main__":
    cli_errors.run(main)
