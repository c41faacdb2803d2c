"""Writes the files that are generated from the models, or checks that they are up to date.

``python -m meeting_buddy.resource.generate [--check] ROOT``. The chart's copy differs from ``crds/`` only in the two
switches around it (``crds.enabled``, ``crds.keep``).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from meeting_buddy.resource import reference
from meeting_buddy.resource.bot_class import ProfileResources
from meeting_buddy.resource.crd import custom_resource_definition
from meeting_buddy.resource.values_schema import values_schema

_NOTE = "# Generated from operator/meeting_buddy/resource by `make generate`; do not edit.\n"


def generated_files(root: Path) -> dict[str, str]:
    """Content by path relative to the repository's root, which is read only for what is copied."""
    definition = custom_resource_definition()
    plain = yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)
    head, _, body = plain.partition("spec:\n")
    return {
        "crds/meetingsessions.yaml": _NOTE + plain,
        "helm/meeting-buddy/templates/crds/meetingsessions.yaml": (
            f"{{{{- /* {_NOTE[2:].strip()} */ -}}}}\n"
            "{{- if .Values.crds.enabled }}\n"
            f"{head}"
            "  {{- if .Values.crds.keep }}\n"
            "  annotations:\n"
            "    helm.sh/resource-policy: keep\n"
            "    argocd.argoproj.io/sync-options: Prune=false\n"
            "  {{- end }}\n"
            f"spec:\n{body.replace('{{', '{{ `{{` }}')}"
            "{{- end }}\n"
        ),
        "crds/README.md": reference.fill((root / "crds/README.md").read_text()),
        "helm/meeting-buddy/values.schema.json": json.dumps(values_schema(), indent=2) + "\n",
        "helm/meeting-buddy/files/resources.json": json.dumps(_default_resources(), indent=2) + "\n",
        "helm/meeting-buddy/files/chromium.json": (root / "bot-image/seccomp/chromium.json").read_text(),
    }


def _default_resources() -> dict[str, Any]:
    """What a bot class's resources are where it does not set them, for the chart to compare with what it sets."""
    return ProfileResources().model_dump(by_alias=True, exclude_none=True)


def main() -> int:
    """Entry point; exit status 1 when ``--check`` finds a stale file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", type=Path, nargs="?", default=Path(), help="the repository's root")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not up to date")
    arguments = parser.parse_args()
    stale = []
    for name, content in generated_files(arguments.root).items():
        path = arguments.root / name
        if path.is_file() and path.read_text() == content:
            continue
        stale.append(name)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    for name in stale:
        print(("stale: " if arguments.check else "wrote ") + name)  # noqa: T201 -- the command's output
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
