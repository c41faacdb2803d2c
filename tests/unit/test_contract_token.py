"""Bot tokens: derived, never stored; the pod knows only their SHA-256."""

import hashlib
import hmac

import pytest

from meeting_buddy.contract.token import BotKeys, Scope, derive, digest, fingerprint, matches

KEY, UID = b"k" * 32, "0b5c8f0e-1d2a-4f4b-9a53-0d5c3f1d2a4f"


def test_a_token_is_the_hmac_of_uid_attempt_and_scope() -> None:
    expected = hmac.new(KEY, f"{UID}/1/control".encode(), hashlib.sha256).hexdigest()
    assert derive(KEY, UID, 1, Scope.CONTROL) == expected


@pytest.mark.parametrize(
    "other",
    [
        derive(b"x" * 32, UID, 1, Scope.CONTROL),
        derive(KEY, UID.replace("0", "1"), 1, Scope.CONTROL),
        derive(KEY, UID, 2, Scope.CONTROL),
        derive(KEY, UID, 1, Scope.READ),
    ],
)
def test_a_token_of_another_key_session_attempt_or_scope_does_not_match(other: str) -> None:
    expected = digest(derive(KEY, UID, 1, Scope.CONTROL))
    assert not matches(other, expected)
    assert matches(derive(KEY, UID, 1, Scope.CONTROL), expected)


def test_a_digest_is_no_token() -> None:
    token = derive(KEY, UID, 1, Scope.READ)
    assert not matches(digest(token), digest(token))


@pytest.mark.parametrize("token", ["", " ", "ä", "\udcff\udcfe", "x" * 100_000])
def test_whatever_is_sent_is_compared_and_does_not_raise(token: str) -> None:
    assert not matches(token, digest("the token"))


def test_each_scope_has_a_key_of_its_own() -> None:
    keys = BotKeys(control=b"c" * 32, read=b"r" * 32)
    assert keys.token(UID, 1, Scope.CONTROL) == derive(b"c" * 32, UID, 1, Scope.CONTROL)
    assert keys.token(UID, 1, Scope.READ) == derive(b"r" * 32, UID, 1, Scope.READ)


@pytest.mark.parametrize(
    ("annotation", "control"),
    [
        (None, b"f" * 32),  # made before pods said it
        (fingerprint(b"f" * 32), b"f" * 32),
        (fingerprint(b"c" * 32), b"c" * 32),
        ("unknown", b"c" * 32),
    ],
)
def test_a_pod_is_commanded_with_the_key_that_it_was_made_with(annotation: str | None, control: bytes) -> None:
    keys = BotKeys(control=b"c" * 32, read=b"r" * 32, former=b"f" * 32)
    assert keys.of_pod(annotation).token(UID, 1, Scope.CONTROL) == derive(control, UID, 1, Scope.CONTROL)


def test_without_a_former_key_there_is_one_choice() -> None:
    keys = BotKeys(control=b"c" * 32, read=b"r" * 32)
    assert keys.of_pod(None) is keys


def test_keys_are_not_printed() -> None:
    assert "ccc" not in repr(BotKeys(control=b"c" * 32, read=b"r" * 32, former=b"f" * 32))
