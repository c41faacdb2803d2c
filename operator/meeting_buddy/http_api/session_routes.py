"""Routes of sessions, thin: HTTP's words on one side, :class:`Sessions` on the other."""

from typing import Annotated

from fastapi import FastAPI, Header, Query, Request, Response
from pydantic import Field

from meeting_buddy.http_api.documents import EXAMPLE, STATUSES, SessionList, SessionObject, SessionRequest
from meeting_buddy.http_api.parameters import (
    COMMON,
    ONE,
    SESSIONS,
    CallerOf,
    IdOf,
    Place,
    PlaceOf,
    check_once,
    problem_responses,
)
from meeting_buddy.http_api.service import MAX_LIMIT, Sessions


class Listing(Place):
    """Query parameters of the list."""

    status: str | None = Field(None, json_schema_extra={"enum": list(STATUSES)}, description="Only these.")
    platform: str | None = Field(None, max_length=32, description="Only these, such as teams.")
    limit: int = Field(50, ge=1, le=MAX_LIMIT, description="Most sessions of a page; there may be fewer.")
    cursor: str = Field("", max_length=2048, description="next_cursor of the page before.")


def add_session_routes(app: FastAPI, service: Sessions) -> None:
    @app.post(
        SESSIONS,
        operation_id="createSession",
        summary="Start a session",
        status_code=201,
        response_model=SessionObject,
        responses=problem_responses(*COMMON, 404, 409, 415),
        tags=["sessions"],
        openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}},
    )
    async def create(
        response: Response,
        caller: CallerOf,
        place: PlaceOf,
        body: SessionRequest,
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                description="Names this request: repeated with the same body it answers with the same session, marked "
                "by the header Idempotency-Replayed. It lives as long as the session."
            ),
        ] = None,
    ) -> SessionObject:
        """Answers at once; the bot comes a little later. Follow it by GET or by its events."""
        check_once(request, "Idempotency-Key")
        found, replayed = await service.create(caller, place.namespace, body, idempotency_key)
        caller.known.session_id = found.session_id
        response.headers["Location"] = f"{SESSIONS}/{found.session_id}?namespace={found.organization_id}"
        if replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return found

    @app.get(
        SESSIONS,
        operation_id="listSessions",
        summary="List sessions",
        response_model=SessionList,
        responses=problem_responses(*COMMON, 410),
        tags=["sessions"],
    )
    async def list_sessions(caller: CallerOf, query: Annotated[Listing, Query()]) -> SessionList:
        """In the order of their names in Kubernetes. A cursor lives for a few minutes."""
        return await service.list_sessions(
            caller,
            query.namespace,
            status=query.status,
            platform=query.platform,
            limit=query.limit,
            cursor=query.cursor,
        )

    @app.get(
        SESSIONS + "/{session_id}",
        operation_id="getSession",
        summary="Read a session",
        response_model=SessionObject,
        responses=problem_responses(*ONE),
        tags=["sessions"],
    )
    async def get(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> SessionObject:
        return await service.get(caller, place.namespace, session_id)

    @app.post(
        SESSIONS + "/{session_id}/leave",
        operation_id="leaveSession",
        summary="Ask the bot to leave",
        status_code=202,
        response_model=SessionObject,
        responses=problem_responses(*ONE, 409),
        tags=["sessions"],
    )
    async def leave(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> SessionObject:
        """The bot leaves and finishes its files. It ends the session for good. Calling it again is no error."""
        return await service.leave(caller, place.namespace, session_id)

    @app.delete(
        SESSIONS + "/{session_id}",
        operation_id="deleteSession",
        summary="Delete a session",
        status_code=204,
        response_class=Response,
        responses=problem_responses(*ONE, 409),
        tags=["sessions"],
    )
    async def delete(caller: CallerOf, place: PlaceOf, session_id: IdOf) -> Response:
        """A bot in the meeting leaves; files stay on the volume."""
        await service.delete(caller, place.namespace, session_id)
        return Response(status_code=204)
