"""LiveKit's API key of this run, and the access tokens signed with it.

The key is made when the server starts and lies in the state folder, readable by root alone. Nothing in the repository
can open a room.
"""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from pathlib import Path

from livekit import api

TOKEN_LIFETIME = datetime.timedelta(minutes=5)  # as LiveKit Meet's own endpoint


@dataclass(frozen=True, slots=True)
class Key:
    """One API key and its secret."""

    name: str
    secret: str

    def join_token(self, room: str, identity: str, name: str) -> str:
        """A JWT with which `identity` may enter `room`, publish and subscribe, for five minutes."""
        grants = api.VideoGrants(room_join=True, room=room)
        return str(self._token(grants).with_identity(identity).with_name(name).to_jwt())

    def admin_token(self, room: str) -> str:
        """A JWT that may list, remove and close in `room`."""
        return str(self._token(api.VideoGrants(room_admin=True, room_create=True, room_list=True, room=room)).to_jwt())

    def _token(self, grants: api.VideoGrants) -> api.AccessToken:
        return api.AccessToken(self.name, self.secret).with_grants(grants).with_ttl(TOKEN_LIFETIME)


def create(path: Path) -> Key:
    """Make a new key and write it as LiveKit's `key_file` (mode 0600, which LiveKit insists on)."""
    key = Key("local-meeting", secrets.token_hex(32))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.touch(mode=0o600)
    aside.chmod(0o600)
    aside.write_text(f"{key.name}: {key.secret}\n")
    aside.rename(path)
    return key


def load(path: Path) -> Key:
    """The key of the running server. Raises `FileNotFoundError` when no meeting was started."""
    name, _, secret = path.read_text().strip().partition(": ")
    return Key(name, secret)
