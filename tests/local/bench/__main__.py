"""``make bench``: the figures of this installation on this machine, each beside its baseline, in one run.

``ONLY=`` picks a section: ``pages``, ``join``, ``recording``, ``kills``, ``sound``, ``text``, ``starved``,
``http``, ``operator`` or ``image``. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tests.local.bench import (
    http_api,
    image_size,
    kills,
    meeting_transcripts,
    meetings,
    operator_load,
    pages,
    recording,
    sound,
    starved,
    transcripts,
)
from tests.local.bench.figures import Figure
from tests.local.bench.operator_metrics import wait_until_it_leads
from tests.local.cluster import flow
from tests.local.images import build
from tests.local.images.iteration_time import iteration_time
from tests.local.installation import SESSIONS, install, local_values
from tests.local.installation.install import prepare_namespace
from tests.local.machine import cli_errors
from tests.local.machine.progress import step
from tests.local.meetings.livekit import LocalMeeting


class _Part(NamedTuple):
    """What is measured at once."""

    section: str
    name: str
    measure: Callable[[], Sequence[Figure]]


_WITHOUT_CLUSTER: Final = (
    _Part("pages", "looks at pages", pages.looks),
    _Part("pages", "speaking marks", pages.speaking),
    _Part("text", "transcripts", transcripts.transcripts),
    _Part("http", "HTTP API", http_api.http_api),
    _Part("operator", "operator", operator_load.operator_load),
)
_ON_THE_CLUSTER: Final = ("join", "recording", "kills", "sound", "text", "starved", "image")
SECTIONS: Final = tuple(dict.fromkeys([*(part.section for part in _WITHOUT_CLUSTER), *_ON_THE_CLUSTER]))


def main() -> int:
    """Exit status 0 when every section could be measured; no figure is judged."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", choices=[*SECTIONS, []], help="sections; all without")
    sections = parser.parse_args().only or SECTIONS
    found = _measured(_WITHOUT_CLUSTER, sections)
    if set(sections) & set(_ON_THE_CLUSTER):
        found += _measured(_on_the_cluster(), sections)
    print("\nAll together:\n")
    print("\n".join(map(str, found)))
    return 0


def _measured(parts: Sequence[_Part], sections: Sequence[str]) -> list[Figure]:
    """The figures of all parts; each part's are printed as soon as they are there, for whoever stops it later."""
    found: list[Figure] = []
    for part in parts:
        if part.section in sections:
            with step(part.name):
                figures = part.measure()
            print("\n".join(map(str, figures)), flush=True)
            found += figures
    return found


def _on_the_cluster() -> Sequence[_Part]:
    kubectl = flow.up().kubectl
    meeting = LocalMeeting()
    meeting.start()
    with step("Meeting Buddy"):
        bot = str(build("bot"))
        prepare_namespace(kubectl, SESSIONS, meeting.certificate_authority)
        install(kubectl, local_values(str(build("operator")), bot, [SESSIONS]))
        wait_until_it_leads(kubectl)

    def iteration() -> list[Figure]:
        return [Figure("one-line change → running pod", f"{iteration_time(kubectl):.1f} s", "", "≤ 30 s")]

    return (
        _Part("join", "apply → in the meeting", lambda: meetings.apply_to_meeting(kubectl, meeting, bot)),
        _Part("recording", "recording and not recording", lambda: recording.recording(kubectl, meeting)),
        _Part("kills", "processes of a bot that die", lambda: kills.kills(kubectl, meeting)),
        _Part("sound", "sound of a recording", lambda: sound.recorded_sound(kubectl, meeting)),
        _Part("text", "transcripts of meetings", lambda: meeting_transcripts.through_meetings(kubectl, meeting)),
        _Part("starved", "two bots at once", lambda: starved.two_at_once(kubectl, meeting)),
        _Part("image", "image iteration time", iteration),
        _Part("image", "image size", lambda: [image_size.of_transcription(bot)]),
    )


if __name__ == "__main__":
    cli_errors.run(main)
