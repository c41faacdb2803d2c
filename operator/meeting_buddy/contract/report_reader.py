"""Reads a report that another version of the bot may have written: what is not known counts as little as possible.

The identity of a report (session, attempt, revision, time) must be there. Any other part that cannot be read, or that
no status could hold, is left out, as if the bot had not sent it. For the three closed lists the fallbacks are:

==========  ==========================================================================================================
unknown     read as
==========  ==========================================================================================================
``phase``   Ended with a ``reason`` (only an end has one), else Leaving with ``leftAt``, Active with ``joinedAt``,
            Joining
``waiting`` Rejoining with ``joinedAt``, else Connecting: whatever it waits for, the bot is not in the meeting
``reason``  MeetingEnded after the bot was in the meeting (what was recorded then decides whether the session is
            Completed), else BotCrashed; the message quotes the unknown word
==========  ==========================================================================================================
"""

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from meeting_buddy.contract.lenient import UnreadableError, read_leniently
from meeting_buddy.contract.phases import ReportPhase, Waiting
from meeting_buddy.contract.reasons import REASONS, Reason
from meeting_buddy.contract.report import MAX_WORD, READABLE_VERSIONS, READING, Report

_ENDING_REASONS: Final = frozenset(reason for reason, spec in REASONS.items() if spec.end is not None)
_WORD: Final = re.compile(rf"[A-Za-z0-9]{{1,{MAX_WORD}}}")


class ReportError(ValueError):
    """A text that is no report, or one of a contract that this version cannot read."""


def read_report(text: str) -> Report:
    """The report in ``text``, with the fallbacks that this module describes.

    Raises:
        ReportError: it is not JSON, its contract is too far away, or it does not say whose report it is.
    """
    try:
        report = Report.model_validate_json(text, context=READING)
        if report.reason is not None and report.reason not in _ENDING_REASONS:
            report = _read_leniently(text)
    except ValidationError:
        report = _read_leniently(text)
    if report.contract not in READABLE_VERSIONS:
        raise ReportError(f"contract {report.contract}")
    return report


def _read_leniently(text: str) -> Report:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ReportError("not JSON") from None
    if not isinstance(document, dict):
        raise ReportError("not an object")
    _replace_unknown_words(document)
    try:
        return read_leniently(Report, document, READING)[0]
    except UnreadableError as error:
        raise ReportError(str(error)) from None


def _replace_unknown_words(document: dict[str, Any]) -> None:
    joined = bool(document.get("everJoined")) or document.get("joinedAt") is not None
    reason = document.get("reason")
    if reason is not None and not _known(reason, _ENDING_REASONS):
        document["reason"] = (Reason.MEETING_ENDED if joined else Reason.BOT_CRASHED).value
        word = reason if isinstance(reason, str) and _WORD.fullmatch(reason) else "a reason"
        said = f": {document['message']}" if isinstance(document.get("message"), str) else ""
        document["message"] = f"the bot ended with {word}, which this version of the operator does not know{said}"
    if not _known(document.get("phase"), ReportPhase):
        document["phase"] = _phase(document).value
    waiting = document.get("waiting")
    if waiting is not None and not _known(waiting, Waiting):
        document["waiting"] = (Waiting.REJOINING if joined else Waiting.CONNECTING).value


def _known(word: object, words: Iterable[StrEnum]) -> bool:
    return isinstance(word, str) and any(word == each for each in words)


def _phase(document: dict[str, Any]) -> ReportPhase:
    if document.get("reason") is not None:
        return ReportPhase.ENDED
    if document.get("leftAt") is not None:
        return ReportPhase.LEAVING
    return ReportPhase.ACTIVE if document.get("joinedAt") is not None else ReportPhase.JOINING
