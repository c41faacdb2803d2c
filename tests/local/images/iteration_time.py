"""How long a developer waits: from a changed line of the bot to a running pod that has it.

The line is changed in a copy of the build context, so that the tree stays as it is.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.local.cluster.kubectl import Kubectl
from tests.local.images.building import build, build_image
from tests.local.images.image_list import IMAGES, Image

_CHANGED = "bot-image/meeting_buddy_bot/__init__.py"


def iteration_time(kubectl: Kubectl) -> float:
    """Seconds from the change to a running pod that prints it; builds the unchanged image first, unmeasured."""
    build("bot")
    mark = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(prefix="meeting-buddy-iteration-time-") as folder:
        image = _copy(IMAGES["bot"], Path(folder))
        began = time.monotonic()
        with (image.context / _CHANGED).open("a") as source:
            source.write(f'\nITERATION_TIME = "{mark}"\n')
        pod = f"iteration-time-{mark}"
        kubectl.create(_pod(pod, str(build_image(image))))
        try:
            kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{pod}", "--timeout=120s")
            seconds = time.monotonic() - began
            printed = kubectl("logs", pod).strip()
        finally:
            kubectl("delete", "pod", pod, "--wait=false")
    if printed != mark:
        raise AssertionError(f"the pod runs {printed!r}, not the changed {mark!r}")
    return seconds


def _copy(image: Image, folder: Path) -> Image:
    for path in image.inputs():
        target = folder / path.relative_to(image.context)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, target)
    return replace(image, context=folder)


def _pod(name: str, image: str) -> dict[str, Any]:
    say = "import meeting_buddy_bot; print(meeting_buddy_bot.ITERATION_TIME)"
    container = {
        "name": "bot",
        "image": image,
        "command": ["python", "-c", say],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
