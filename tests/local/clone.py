"""Where things lie in this clone. Nobody else counts parent folders."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CRD = REPOSITORY / "crds" / "meetingsessions.yaml"
CHART = REPOSITORY / "helm" / "meeting-buddy"
PLATFORM_TABLES = REPOSITORY / "bot-image" / "meeting_buddy_bot" / "platforms"
SECCOMP_PROFILE = REPOSITORY / "bot-image" / "seccomp" / "chromium.json"
SPEECH = REPOSITORY / "tests" / "speech"
