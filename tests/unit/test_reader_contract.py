"""Tokens of the recordings reader: one session, one name, for minutes; and the key that is one namespace's."""

import hashlib
import hmac

import pytest

from meeting_buddy.contract.reader import MAX_SECONDS, TOKEN_SECONDS, allows, reader_key, sign

READ_KEY = b"r" * 32
KEY = reader_key(READ_KEY, "meetings")
SESSION, NAME, NOW = "mbsess_0b5c8f0e1d2a4f4b9a530d5c3f1d2a4f", "segments/00001.mkv", 1_800_000_000.0
EXPIRES = int(NOW) + TOKEN_SECONDS


def test_a_key_is_the_hmac_of_reader_and_namespace() -> None:
    assert hmac.new(READ_KEY, b"reader/meetings", hashlib.sha256).digest() == KEY
    assert len(KEY) == 32
    assert reader_key(READ_KEY, "other") != KEY


def test_a_token_is_expiry_and_the_hmac_of_session_name_and_expiry() -> None:
    signature = hmac.new(KEY, f"{SESSION}/{NAME}/{EXPIRES}".encode(), hashlib.sha256).hexdigest()
    assert sign(KEY, SESSION, NAME, EXPIRES) == f"{EXPIRES}.{signature}"


@pytest.mark.parametrize("name", ["", NAME, "Grüße %2e", "a\nb", "\ud800"])
def test_a_token_is_good_for_what_it_was_signed_for(name: str) -> None:
    assert allows(KEY, sign(KEY, SESSION, name, EXPIRES), SESSION, name, NOW)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        (SESSION[:-1] + "e", NAME),
        (SESSION, "segments/00002.mkv"),
        (SESSION, ""),
        (f"{SESSION}/segments", "00001.mkv"),  # the same text, divided elsewhere
        ("", f"{SESSION}/{NAME}"),
    ],
)
def test_it_is_not_good_for_another_session_or_name(session: str, name: str) -> None:
    assert not allows(KEY, sign(KEY, SESSION, NAME, EXPIRES), session, name, NOW)


@pytest.mark.parametrize(
    ("expires", "good"),
    [
        (int(NOW) - 1, False),
        (int(NOW), False),
        (int(NOW) + 1, True),
        (int(NOW) + MAX_SECONDS, True),
        (int(NOW) + MAX_SECONDS + 1, False),
        (0, False),
        (-1, False),
        (10**15, False),
        (10**40, False),
    ],
)
def test_it_is_good_until_it_expires_and_not_for_long(expires: int, good: bool) -> None:
    assert allows(KEY, sign(KEY, SESSION, NAME, expires), SESSION, NAME, NOW) is good


def test_one_bit_makes_another_token() -> None:
    token = sign(KEY, SESSION, NAME, EXPIRES)
    for place in range(len(token)):
        for bit in range(7):
            changed = token[:place] + chr(ord(token[place]) ^ 1 << bit) + token[place + 1 :]
            assert not allows(KEY, changed, SESSION, NAME, NOW), changed


def test_another_namespaces_key_does_not_sign_for_this_one() -> None:
    assert not allows(KEY, sign(reader_key(READ_KEY, "other"), SESSION, NAME, EXPIRES), SESSION, NAME, NOW)
    assert not allows(KEY, sign(READ_KEY, SESSION, NAME, EXPIRES), SESSION, NAME, NOW)


def _texts() -> list[str]:
    expires, signature = sign(KEY, SESSION, NAME, EXPIRES).split(".")
    return [
        *("", ".", "..", " ", "x" * 100_000, "\0", "ä", "\ud800", "9" * 5000 + "." + signature),
        *(expires, signature, f"{expires}.", f".{signature}", f"{expires}{signature}", f"{expires},{signature}"),
        *(f" {expires}.{signature}", f"{expires}.{signature} ", f"{expires}.{signature}\n", f"{expires} .{signature}"),
        *(
            f"+{expires}.{signature}",
            f"0{expires}.{signature}",
            f"{expires}.0.{signature}",
            f"{expires[:3]}_{expires[3:]}",
        ),
        *(
            f"{expires}.{signature.upper()}",
            f"{expires}.{signature}0",
            f"{expires}.{signature[:-1]}",
            f"1e9.{signature}",
        ),
        "".join(chr(ord("٠") + int(digit)) for digit in expires) + f".{signature}",  # int() would take these
    ]


@pytest.mark.parametrize("text", _texts(), ids=lambda text: ascii(text[:24]))
def test_whatever_else_is_sent_is_refused_and_does_not_raise(text: str) -> None:
    assert not allows(KEY, text, SESSION, NAME, NOW)
