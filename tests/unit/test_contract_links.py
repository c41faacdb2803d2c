"""Which links a bot opens and where: the shared corpus, the gates that come before, and wrapped links."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import string
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meeting_buddy.contract.link_secrets import SHORTEST
from meeting_buddy.contract.links import (
    MAX_LENGTH,
    LinkError,
    Meeting,
    Platform,
    PlatformName,
    SelfHostedHost,
    host_pattern,
    is_self_hosted,
    parse_link,
    self_hosted_pattern,
    unwrap,
)
from meeting_buddy.contract.redaction import REDACTED, Redactor
from meeting_buddy.resource.crd import NO_PUNYCODE
from tests.support.links_corpus import KINDS, RULES, SELF_HOSTED, Case, cases

ACCEPTED = [case for case in cases() if case.found]
REFUSED = [case for case in cases() if case.found is None]


def parsed(case: Case) -> Meeting:
    return parse_link(case.link, case.named, SELF_HOSTED, KINDS)


def name(case: Case) -> str:
    return f"{case.named or ''} {case.link}"


def lets_through(link: str, named: PlatformName | None) -> bool:
    self_hosted = named is not None and is_self_hosted(named)
    pattern = self_hosted_pattern() if self_hosted else host_pattern()
    punycode = NO_PUNYCODE["rule"].split("'")[1]
    # In RE2 a final `$` is the end of the text; Python's also matches before a last line feed.
    pattern = pattern.removesuffix("$") + r"\Z"
    return len(link) <= MAX_LENGTH and re.search(pattern, link) is not None and re.search(punycode, link) is None


@pytest.mark.parametrize("case", ACCEPTED, ids=name)
def test_a_meeting_is_found_with_its_id_its_passcode_and_its_web_client(case: Case) -> None:
    meeting = parsed(case)
    found = (meeting.platform, meeting.meeting_id, meeting.passcode, meeting.web_address)
    assert found == (case.found, case.meeting_id, case.passcode, case.web_address)
    assert meeting.link == case.link


@pytest.mark.parametrize("case", ACCEPTED, ids=name)
def test_the_web_clients_address_is_a_link_of_the_same_meeting(case: Case) -> None:
    assert_stable(parsed(case), case.named)


@pytest.mark.parametrize("case", ACCEPTED, ids=name)
def test_the_representation_of_a_meeting_and_its_origin_are_free_of_secrets(case: Case) -> None:
    meeting = parsed(case)
    shown = f"{meeting} {meeting.origin}".lower()
    assert case.link.lower() not in shown
    for secret in filter(None, (meeting.meeting_id, meeting.passcode)):
        assert len(secret) < SHORTEST or secret.lower() not in shown


@pytest.mark.parametrize("case", ACCEPTED, ids=name)
def test_what_identifies_a_meeting_is_redacted(case: Case) -> None:
    meeting = parsed(case)
    redact = Redactor.for_link(meeting.link, rules=meeting.rules)
    for secret in filter(None, (meeting.meeting_id, meeting.passcode)):
        assert len(secret) < SHORTEST or redact(secret) == REDACTED


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_a_link_is_refused_with_its_reason_and_advice(case: Case) -> None:
    with pytest.raises(LinkError) as raised:
        parsed(case)
    assert raised.value.reason is case.reason
    assert case.says in str(raised.value)
    assert_quotes_nothing(raised.value, case.link)


@pytest.mark.parametrize("case", cases(), ids=name)
def test_a_gate_lets_through_what_the_corpus_says(case: Case) -> None:
    assert lets_through(case.link, case.named) == case.gate


def assert_stable(meeting: Meeting, named: PlatformName | None) -> None:
    address = urlsplit(meeting.web_address)
    assert address.scheme == "https"
    if len(meeting.web_address) > MAX_LENGTH:  # a link of the greatest length that got longer
        return
    again = parse_link(meeting.web_address, named, SELF_HOSTED, KINDS)
    assert (again.platform, again.meeting_id, again.passcode) == (
        meeting.platform,
        meeting.meeting_id,
        meeting.passcode,
    )
    assert again.web_address == meeting.web_address
    assert again.origin == meeting.origin


def assert_quotes_nothing(error: LinkError, link: str) -> None:
    """No six characters of path and query are in the message, but for what is no link's own: names, examples, words."""
    message = str(error)
    for platform, rules in RULES.items():
        message = message.replace(rules.example, "").replace(platform, "")
    message = message.replace("https://", "")
    rest = re.sub(r"^https?://[^/?#]*", "", link, flags=re.IGNORECASE)
    for word in sorted({word for rules in RULES.values() for word in rules.public_words}, key=len, reverse=True):
        rest = rest.replace(word, "\0")
    parts = {rest[start : start + 6] for start in range(len(rest) - 5)}
    assert [part for part in parts if part in message] == []


def test_a_link_may_have_2048_characters_and_no_more() -> None:
    start = "https://zoom.us/j/1234567890?pwd="
    assert parse_link(start + "x" * (MAX_LENGTH - len(start))).platform is Platform.ZOOM
    with pytest.raises(LinkError, match="longer than 2048"):
        parse_link(start + "x" * (MAX_LENGTH - len(start) + 1))


def test_the_example_of_each_platform_is_a_good_link() -> None:
    for platform, rules in RULES.items():
        named = platform if is_self_hosted(platform) else None
        hosts = [SelfHostedHost(platform=named, host="meet.example.org")] if named else []
        assert parse_link(rules.example.replace("…", "x"), named, hosts, KINDS).platform == platform


def test_a_meetings_origin_has_the_port_of_a_self_hosted_one() -> None:
    meeting = parse_link("https://meet.buddy.test:8443/rooms/weekly#passphrase", "LiveKit", SELF_HOSTED, KINDS)
    assert meeting.origin == "https://meet.buddy.test:8443"
    assert parse_link("https://zoom.us/j/1234567890?pwd=x").origin == "https://zoom.us"


def test_links_inside_links_come_to_an_end() -> None:
    link = "https://teams.microsoft.com/meet/2412345678901"
    for depth in range(4):
        coords = base64.urlsafe_b64encode(json.dumps({"meetingUrl": link}).encode()).decode().rstrip("=")
        link = f"https://teams.microsoft.com/light-meetings/launch?coords={coords}"
        if depth < 3:
            assert parse_link(link).meeting_id == "2412345678901"
    with pytest.raises(LinkError, match="holds no meeting"):
        parse_link(link)


SECRETS = st.text(string.ascii_uppercase + string.digits + "%", min_size=6, max_size=12)
TEXTS = st.text(max_size=40)
HOSTS = st.sampled_from(
    [
        *(pattern.replace("*", "team") for rules in RULES.values() for pattern in rules.hosts),
        *("meet.example.org", "meet.buddy.test:8443", "zoom.us.evil.test", "Zoom.US", "zoom.us:443", "x@zoom.us"),
    ]
)
WORDS = st.sampled_from(
    [
        *sorted({word for rules in RULES.values() for word in (*rules.public_words, *rules.public_parameters)}),
        *("/j/1234567890", "/s/", "/wc/", "/l/", "/meet/2412345678901", "/v2/", "/_", "/abc-defg-hij", "/my/", "p="),
        *("pwd=", "MTID=", "url=", "coords=", "meetingId=", "context=", "launchApp=", "%2F_%23%2F", "19:", "true"),
        *("%0A", "%25", "\u200b", "\u00a0", "…", *"/?#&=.,;:!)>'\"% {}[]@*-_\\"),
    ]
)
PATHS = st.lists(st.one_of(WORDS, SECRETS, TEXTS), max_size=8).map("".join)
FRAMES = st.sampled_from(
    [
        *("/j/1234567890{}?pwd={}", "/wc/1234567890/join?pwd={}{}", "/w/123456789?tk={}{}", "/my/{}?pwd={}"),
        *("/l/meetup-join/{}/0?context={}", "/meet/2412345678901{}?p={}", "/_#/meet/2412345678901{}?p={}"),
        *(
            "/v2/?meetingjoin=true#/l/meetup-join/{}?{}",
            "/dl/launcher/launcher.html?url=%2F_%23%2Fmeet%2F12{}%3Fp%3D{}",
        ),
        *(
            "/dl/launcher/launcher.html?url=/l/meetup-join/{}{}",
            "/light-meetings/launch?coords={}{}",
            "/l/channel/{}{}",
        ),
        *("/abc-defg-hij{}?authuser={}", "/lookup/{}{}", "/meet/{}{}", "/join/{}{}", "/x/j.php?MTID={}&{}"),
        *("/webappng/sites/{}/meeting/info/{}", "/meet?meetingId=123{}&{}", "/rooms/{}{}", "/s/1234567890{}?zak={}"),
    ]
)
FRAMED = st.builds(lambda frame, one, two: frame.format(one, two), FRAMES, st.one_of(SECRETS, PATHS), PATHS)
LINKED = st.builds(lambda host, path: f"https://{host}{path}", HOSTS, st.one_of(PATHS, FRAMED))
NAMED = st.sampled_from([None, "LiveKit", "Rooms", "Unheard", Platform.TEAMS])


@given(st.one_of(TEXTS, LINKED), NAMED)
@example("https://team.zoom.us/j/1234567890\n", None)
@example("\u212aodak.zoom.us", None)
def test_any_text_is_a_meeting_that_stays_one_or_is_refused_without_a_quote(
    link: str, named: PlatformName | None
) -> None:
    try:
        meeting = parse_link(link, named, SELF_HOSTED, KINDS)
    except LinkError as error:
        assert_quotes_nothing(error, link)
        return
    assert lets_through(link, named)
    assert_stable(meeting, named)


@given(
    st.dictionaries(st.sampled_from(["meetingUrl", "meetingCode", "passcode", "conversationId", "messageId"]), PATHS)
)
def test_any_coordinates_are_a_meeting_that_stays_one_or_are_refused(document: dict[str, str]) -> None:
    coords = base64.b64encode(json.dumps(document).encode()).decode()
    with contextlib.suppress(LinkError):
        assert_stable(parse_link(f"https://teams.microsoft.com/light-meetings/launch?coords={quote(coords)}"), None)


@given(st.one_of(TEXTS, LINKED))
def test_a_message_about_a_secret_link_is_the_same_whatever_the_secret(text: str) -> None:
    """Two links that differ in the passcode alone are judged in the same words."""
    for frame in ("https://zoom.us/s/1234567890?zak={}", "https://example.test/{}", "https://teams.live.com/join/{}"):
        messages = set()
        for secret in ("Opensesame1", quote(text, safe="")):
            with pytest.raises(LinkError) as raised:
                parse_link(frame.format(secret))
            messages.add(str(raised.value))
        assert len(messages) == 1


ZOOM = "https://zoom.us/j/1234567890?pwd=x"
CODED_ZOOM = "https%3A%2F%2Fzoom.us%2Fj%2F1234567890%3Fpwd%3Dx"
SAFE = "https://eur01.safelinks.protection.outlook.com"
TEAMS = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Zm9v%40thread.v2/0?context=%7b%22Tid%22%3a%22t%22%7d"


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        (f"{SAFE}/?url={CODED_ZOOM}&data=05%7C02&reserved=0", ZOOM),
        (f"{SAFE}/ap/t-59584e83/?url={CODED_ZOOM}&data=05", ZOOM),
        (f"{SAFE.upper()}/?url={CODED_ZOOM}", ZOOM),
        (f"https://safelinks.protection.outlook.com/?url={CODED_ZOOM}", ZOOM),
        (f"https://usg02.safelinks.protection.office365.us/?url={CODED_ZOOM}&data=05", ZOOM),
        (
            "https://statics.teams.cdn.office.net/evergreen-assets/safelinks/2/atp-safelinks.html"
            f"?url={CODED_ZOOM}&locale=en-us",
            ZOOM,
        ),
        (f"https://statics.teams.cdn.office.net/elsewhere?url={CODED_ZOOM}", None),
        (f"{SAFE}?url={CODED_ZOOM}&data=05", ZOOM),
        (f"{SAFE}/?URL={CODED_ZOOM}", ZOOM),
        (f"https://meet.google.com/linkredirect?authuser=0&dest={CODED_ZOOM}", ZOOM),
        (f"https://meet.google.com/abc-defg-hij?dest={CODED_ZOOM}", None),
        (f"{SAFE}/?data=05&url={quote(TEAMS, safe='')}", TEAMS),
        ("https://www.google.com/url?q=https://zoom.us/j/1234567890&sa=D", "https://zoom.us/j/1234567890"),
        (f"https://www.google.com/url?q={CODED_ZOOM}&sa=D&ust=1", ZOOM),
        (f"https://google.com/url?sa=t&url={CODED_ZOOM}", ZOOM),
        (f"https://www.google.com/url?q={quote(CODED_ZOOM, safe='')}", ZOOM),
        (f"https://www.google.com/url?q={quote(f'{SAFE}/?url={CODED_ZOOM}', safe='')}", ZOOM),
        (CODED_ZOOM, ZOOM),
        (CODED_ZOOM.lower().replace("%3dx", "%3DX"), ZOOM.replace("=x", "=X")),
        (quote(f"{SAFE}/?url={CODED_ZOOM}", safe=""), ZOOM),
        (ZOOM, ZOOM),
        (TEAMS, TEAMS),
        ("https://evil.test/?url=https://zoom.us/j/1234567890", "https://evil.test/?url=https://zoom.us/j/1234567890"),
        (f"https://safelinks.protection.outlook.com.evil.test/?url={CODED_ZOOM}", None),
        (f"https://evilsafelinks.protection.outlook.com/?url={CODED_ZOOM}", None),
        (f"https://www.google.com.evil.test/url?q={CODED_ZOOM}", None),
        (f"https://www.google.com/urls?q={CODED_ZOOM}", None),
        (f"https://www.google.com/search?q={CODED_ZOOM}", None),
        (f"{SAFE}/?url=", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_a_link_is_unwrapped_from_mail_gateways_alone(wrapped: str, plain: str | None) -> None:
    assert unwrap(wrapped) == (wrapped if plain is None else plain)


@given(st.one_of(TEXTS, LINKED))
def test_a_meetings_own_link_is_not_unwrapped_and_no_text_fails(text: str) -> None:
    unwrap(text)
    with contextlib.suppress(LinkError):
        parse_link(text)
        assert unwrap(text) == text
