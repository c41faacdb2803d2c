"""Whether a session gets a bot: languages that the class's engine is known not to know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meeting_buddy.contract.reasons import Reason
from meeting_buddy.domain.admission import AdmissionResult, validate
from meeting_buddy.domain.decide import decide
from meeting_buddy.domain.plan import PatchStatus
from meeting_buddy.resource.bot_class import Transcription
from tests.support import operator_facts as make


def admitted(language: str, engine: dict[str, Any], *, enabled: bool = True) -> AdmissionResult:
    bot_class = make.CLASS.model_copy(update={"transcription": Transcription.model_validate(engine)})
    session = make.session(transcription={"language": language, "enabled": enabled})
    return validate(session, replace(make.INSTALLATION, bot_class=bot_class))


SERVER = {"url": "https://speech.example.com/v1", "model": "whisper-1"}


@pytest.mark.parametrize(
    ("language", "engine"),
    [
        ("auto", {"model": "/models/whisper-base.en"}),
        ("en-GB", {"model": "/models/whisper-base.en"}),
        ("de", {"model": "/models/whisper-base"}),
        ("yue", {"model": "/models/large-v3"}),
        ("yue", {"model": "/models/whisper"}),  # the bot finds out
        ("yue", {"model": None}),  # there is no engine: Transcribed says so
        ("auto", {"languages": ["fr"]}),
        ("de-CH", {"languages": ["fr", "de"]}),
        ("de", {"model": "/models/whisper-base.en", "server": SERVER}),  # the server is asked
        ("yue", {"server": SERVER}),
        ("de", {"model": "/models/whisper-base.en", "languages": ["de"]}),  # the administrator knows better
    ],
)
def test_a_language_that_the_engine_may_know(language: str, engine: dict[str, Any]) -> None:
    assert admitted(language, engine).reason is None


@pytest.mark.parametrize(
    ("language", "engine", "known"),
    [
        ("de-AT", {"model": "/models/whisper-base.en"}, "it knows en"),
        ("yue", {"model": "/models/whisper-small"}, "it knows 99 others"),
        ("en", {"languages": ["fr", "de"]}, "it knows de, fr"),
        ("de", {"server": {**SERVER, "model": "Systran/faster-whisper-base.en"}}, "it knows en"),
        ("en", {"server": SERVER, "languages": ["de"]}, "it knows de"),
    ],
)
def test_a_language_that_it_is_known_not_to_know(language: str, engine: dict[str, Any], known: str) -> None:
    found = admitted(language, engine)
    assert found.reason is Reason.CONFIG_INVALID
    assert f"does not know the language {language}; {known}" in found.message
    assert "'default'" in found.message
    assert admitted(language, engine, enabled=False).reason is None


def test_the_session_says_which_language_and_what_helps() -> None:
    facts = make.facts(make.session(transcription={"language": "fr"}), installation=make.ENGLISH_ONLY)
    [patch] = [action.patch for action in decide(facts, lambda: make.NOW).actions if isinstance(action, PatchStatus)]
    assert patch["message"] == (
        "The transcription engine of bot class 'default' does not know the language fr; it knows en. Create a new "
        "session in another language, with another bot class, or with spec.transcription.enabled: false."
    )


@pytest.mark.parametrize(
    ("spec", "may_pass"),
    [
        ({"meetingLink": "https://other.example.org/rooms/a"}, True),
        ({"meetingLink": "https://other.example.org/rooms/a", "platform": None}, False),  # nobody lists that
        ({"meetingLink": "https://other.example.org/rooms/a", "platform": "Zoom"}, False),
    ],
)
def test_only_a_self_hosted_host_may_be_listed_later(spec: dict[str, Any], may_pass: bool) -> None:
    found = validate(make.session(**spec), make.INSTALLATION)
    assert (found.reason, found.may_pass) == (Reason.HOST_NOT_ALLOWED, may_pass)
