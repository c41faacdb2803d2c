"""A real meeting on this machine: LiveKit's server, LiveKit's own React components, people who really speak.

`LocalMeeting` is the way in; see README.md one folder up.
"""

from tests.local.meetings.livekit.host import Participant, RoomError
from tests.local.meetings.livekit.meeting import LocalMeeting
from tests.local.meetings.livekit.people import EVERYBODY, People, Person, Said
from tests.local.meetings.livekit.room import Room

__all__ = ["EVERYBODY", "LocalMeeting", "Participant", "People", "Person", "Room", "RoomError", "Said"]
