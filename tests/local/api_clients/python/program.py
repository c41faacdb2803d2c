"""Uses the client that openapi-python-client made: start, read, list, leave, delete, and two problems.

Runs in that client's own environment, where nothing of the project is. Prints what it saw as JSON.
"""

from __future__ import annotations

import json
import os

from meeting_buddy_client import AuthenticatedClient
from meeting_buddy_client.api.sessions import (
    create_session,
    delete_session,
    get_session,
    leave_session,
    list_sessions,
)
from meeting_buddy_client.models import Problem, RecordingRequest, SessionObject, SessionRequest, SessionStatus


def main() -> None:
    """Everything once."""
    client = AuthenticatedClient(base_url=os.environ["MEETING_BUDDY_URL"], token=os.environ["ACCESS_TOKEN"])
    key = os.environ["IDEMPOTENCY_KEY"]
    wanted = SessionRequest(
        meeting_link=os.environ["MEETING_LINK"], recording=RecordingRequest(frame_rate=5), announcement=None
    )
    made = create_session.sync_detailed(client=client, body=wanted, idempotency_key=key)
    again = create_session.sync_detailed(client=client, body=wanted, idempotency_key=key)
    session = _session(made.parsed)
    assert again.parsed == session
    assert session.join_timestamp is None
    assert session.current_participants is None
    found = _session(get_session.sync(session.session_id, client=client))
    page = list_sessions.sync(client=client, status=SessionStatus.INITIALIZING, limit=10)
    left = _session(leave_session.sync(session.session_id, client=client))
    gone = delete_session.sync_detailed(session.session_id, client=client)
    missing = get_session.sync(session.session_id, client=client)
    refused = create_session.sync(client=client, body=SessionRequest(meeting_link="https://example.com/"))
    assert isinstance(missing, Problem)
    assert isinstance(refused, Problem)
    seen = {
        "created": [made.status_code, session.session_id, session.status, session.created_at.tzname() == "UTC"],
        "location": made.headers["Location"],
        "replayed": again.headers["Idempotency-Replayed"],
        "found": found.to_dict() == session.to_dict(),
        "listed": [each.session_id for each in page.sessions],
        "left": left.session_id,
        "deleted": [gone.status_code, gone.parsed],
        "missing": [missing.status, missing.type_],
        "refused": [refused.status, refused.type_, refused.field, refused.errors[0].field],
    }
    print(json.dumps(seen))


def _session(answer: object) -> SessionObject:
    assert isinstance(answer, SessionObject), answer
    return answer


if __name__ == "__main__":
    main()
