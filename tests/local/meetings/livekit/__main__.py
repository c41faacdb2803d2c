"""`python -m tests.local.meetings.livekit up | down | status | speak --room NAME [--seconds N]`."""

from __future__ import annotations

import argparse
import time

from tests.local.machine import cli_errors
from tests.local.meetings.livekit import LocalMeeting


def main() -> int:
    """Run one command; 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.meetings.livekit", description="The local meeting.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what is not running, and wait until a browser could join")
    commands.add_parser("down", help="end everybody and everything")
    commands.add_parser("status", help="what runs; exit code 1 unless a browser could join now")
    speak = commands.add_parser("speak", help="people enter a room and speak")
    speak.add_argument("--room", required=True)
    speak.add_argument("--seconds", type=float, default=60)
    speak.add_argument("--language", default="en", choices=("en", "de", "fr"))
    arguments = parser.parse_args()
    meeting = LocalMeeting()
    if arguments.command == "up":
        meeting.start()
    elif arguments.command == "down":
        meeting.stop()
    elif arguments.command == "status":
        for name, state in meeting.status().items():
            print(f"  {name:28} {state}")
        return 0 if meeting.ready() else 1
    else:
        _speak(meeting, arguments.room, arguments.seconds, arguments.language)
    return 0


def _speak(meeting: LocalMeeting, name: str, seconds: float, language: str) -> None:
    room = meeting.room(name)
    with room.people(language=language) as people:
        print(f"{', '.join(person.name for person in people.people)} speak in {room.link}", flush=True)
        end = time.monotonic() + seconds
        told = 0
        while time.monotonic() < end:
            time.sleep(1)
            for said in people.said()[told:]:
                print(f"  {said.wall:%H:%M:%S} {said.turn.person:16} {said.turn.clip.path.name}", flush=True)
                told += 1


if __name__ == "__main__":
    cli_errors.run(main)
