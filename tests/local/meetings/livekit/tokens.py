"""The token endpoint of the local meeting. Ours: LiveKit leaves this part to whoever runs a meeting.

`GET /api/connection-details?roomName=&participantName=` answers as LiveKit Meet's own endpoint does: a server URL and a
token that is good for five minutes, for an identity nobody can guess or take from another.
`python -m tests.local.meetings.livekit.tokens KEYS PORT SERVER_URL` serves it on 127.0.0.1; nginx is the way in.
"""

from __future__ import annotations

import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.local.meetings.livekit import keys


class Endpoint(BaseHTTPRequestHandler):
    """Answers one request."""

    key_file: Path
    server_url: str

    def do_GET(self) -> None:
        """The two paths there are."""
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self._answer(HTTPStatus.OK, {"ok": True})
        elif url.path == "/api/connection-details":
            query = parse_qs(url.query)
            room, name = query.get("roomName", [""])[0], query.get("participantName", [""])[0]
            if room and name:
                self._answer(HTTPStatus.OK, self._details(room, name))
            else:
                self._answer(HTTPStatus.BAD_REQUEST, "Missing required query parameter: roomName, participantName")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "Not found")

    def _details(self, room: str, name: str) -> dict[str, str]:
        token = keys.load(self.key_file).join_token(room, f"{name}__{secrets.token_hex(2)}", name)
        return {"serverUrl": self.server_url, "roomName": room, "participantToken": token, "participantName": name}

    def _answer(self, status: HTTPStatus, content: object) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def main(key_file: str, port: str, server_url: str) -> None:
    """Serve until killed."""
    Endpoint.key_file, Endpoint.server_url = Path(key_file), server_url
    ThreadingHTTPServer(("127.0.0.1", int(port)), Endpoint).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
