"""Every check in both directions: it fires when it should, and does not when it should not."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from meeting_buddy.contract.phases import Waiting
from meeting_buddy.contract.reasons import Reason
from meeting_buddy.contract.report import Reception
from meeting_buddy_bot.checks.browser_restarts import BrowserRestarts
from meeting_buddy_bot.checks.connection_lost import ConnectionLost
from meeting_buddy_bot.checks.everyone_left import FEWEST_READINGS, EveryoneLeft
from meeting_buddy_bot.checks.media_flows import MediaFlow
from meeting_buddy_bot.checks.media_received import (
    LISTENING_SECONDS,
    MEDIA_STOPPED_SECONDS,
    NO_MEDIA_SECONDS,
    AudioReceived,
    MediaStopped,
    NoMedia,
    is_listening,
    last_known,
    video_received,
)
from meeting_buddy_bot.checks.nobody_came import NobodyCame
from meeting_buddy_bot.checks.observed_time import LONGEST_INTERVAL
from meeting_buddy_bot.checks.only_bots import OnlyBots
from meeting_buddy_bot.checks.page_responsive import FEWEST_SILENT, PageResponsive
from meeting_buddy_bot.checks.silence import Silence
from meeting_buddy_bot.checks.waiting_room import WaitingRoom
from meeting_buddy_bot.platforms import adapter
from meeting_buddy_bot.platforms.probe import DEADLINE, PageSnapshot, pause
from tests.support.bot_clock import FakeClock

# Observed time


def test_the_slowest_looks_with_the_longest_pauses_between_them_still_observe() -> None:
    assert DEADLINE + adapter.SECONDS + pause(PageSnapshot(frozenset(), seconds=DEADLINE), 0.25) < LONGEST_INTERVAL


def test_every_check_fires_where_looks_are_slow() -> None:
    clock = FakeClock()
    nobody_came, everyone_left, only_bots = NobodyCame(clock, 60), EveryoneLeft(clock, 60), OnlyBots(clock, 60)
    silence, no_media, waiting_room = Silence(clock, 60), NoMedia(clock), WaitingRoom(clock, 60)
    everyone_left.verdict(1)
    fired: set[Reason | None] = set()
    for _ in range(20):
        clock.later(5.1)  # a pause of 3 s and a look of 2.1 s
        fired |= {nobody_came.verdict(0), everyone_left.verdict(0), only_bots.verdict(only_bots=True)}
        fired |= {
            silence.verdict(None, listening=True),
            no_media.verdict(NO, UNKNOWN, speaking=True),
            waiting_room.verdict(Waiting.WAITING_ROOM),
        }
    ends = {Reason.NOBODY_CAME, Reason.EVERYONE_LEFT, Reason.ONLY_BOTS_LEFT, Reason.SILENCE, Reason.NO_MEDIA}
    assert fired - {None} == {*ends, Reason.NOT_ADMITTED}


# Nobody came


def test_nobody_came_fires_at_its_deadline_and_not_before() -> None:
    clock = FakeClock()
    check = NobodyCame(clock, 60)
    verdicts = []
    for _ in range(60):
        clock.later(1)
        verdicts.append(check.verdict(0))
    assert verdicts == [None] * 59 + [Reason.NOBODY_CAME]


def test_nobody_came_never_fires_once_somebody_was_there() -> None:
    clock = FakeClock()
    check = NobodyCame(clock, 60)
    assert check.verdict(1) is None
    for _ in range(100):
        clock.later(1)
        assert check.verdict(0) is None


def test_nobody_came_does_not_count_time_in_which_nobody_looked() -> None:
    clock = FakeClock()
    check = NobodyCame(clock, 60)
    for _ in range(30):
        clock.later(1)
        assert check.verdict(0) is None
    clock.later(3600)  # the browser was away
    for _ in range(29):
        assert check.verdict(0) is None
        clock.later(1)


# Everyone left


def test_everyone_left_fires_after_enough_time_and_readings_alone() -> None:
    clock = FakeClock()
    check = EveryoneLeft(clock, 60)
    check.verdict(2)
    verdicts = []
    for _ in range(61):
        verdicts.append(check.verdict(0))
        clock.later(1)
    assert verdicts.index(Reason.EVERYONE_LEFT) == 60


def test_everyone_left_is_reset_by_one_good_reading() -> None:
    clock = FakeClock()
    check = EveryoneLeft(clock, 60)
    check.verdict(1)
    for _ in range(10):
        for _ in range(59):
            assert check.verdict(0) is None
            clock.later(1)
        assert check.verdict(1) is None
        clock.later(1)


def test_everyone_left_does_not_count_time_in_which_nobody_looked() -> None:
    clock = FakeClock()
    check = EveryoneLeft(clock, 60)
    check.verdict(1)
    check.verdict(0)
    clock.later(3600)  # the page did not answer for an hour
    verdicts = []
    for _ in range(61):
        verdicts.append(check.verdict(0))
        clock.later(1)
    assert verdicts == [None] * 60 + [Reason.EVERYONE_LEFT]


def test_everyone_left_takes_more_than_one_reading() -> None:
    clock = FakeClock()
    check = EveryoneLeft(clock, 4)
    check.verdict(1)
    verdicts = []
    for _ in range(FEWEST_READINGS):
        clock.later(4)
        verdicts.append(check.verdict(0))
    assert verdicts == [None] * (FEWEST_READINGS - 1) + [Reason.EVERYONE_LEFT]


def test_everyone_left_does_not_speak_of_people_who_never_came() -> None:
    clock = FakeClock()
    check = EveryoneLeft(clock, 1)
    for _ in range(100):
        assert check.verdict(0) is None
        clock.later(1)


# Waiting room


def wait(check: WaitingRoom, clock: FakeClock, seconds: int, waiting: Waiting | None) -> list[Reason | None]:
    """The verdicts of a look each second."""
    verdicts = []
    for _ in range(seconds):
        verdicts.append(check.verdict(waiting))
        clock.later(1)
    return verdicts


def test_the_waiting_room_fires_at_its_deadline_with_what_it_waited_for() -> None:
    for waiting, reason in (
        (Waiting.WAITING_ROOM, Reason.NOT_ADMITTED),
        (Waiting.NOT_STARTED, Reason.MEETING_NOT_STARTED),
    ):
        clock = FakeClock()
        assert wait(WaitingRoom(clock, 900), clock, 901, waiting) == [None] * 900 + [reason]


def test_time_outside_the_waiting_room_does_not_count() -> None:
    clock = FakeClock()
    check = WaitingRoom(clock, 900)
    assert not any(wait(check, clock, 10_000, None))
    assert not any(wait(check, clock, 899, Waiting.WAITING_ROOM))
    assert not any(wait(check, clock, 10_000, None))
    assert check.verdict(Waiting.WAITING_ROOM) is None


def test_a_waiting_room_that_flickers_adds_up() -> None:
    clock = FakeClock()
    check = WaitingRoom(clock, 900)
    for _ in range(9):
        assert not any(wait(check, clock, 100, Waiting.WAITING_ROOM))
        check.verdict(None)
        clock.later(1)
    assert check.verdict(Waiting.WAITING_ROOM) is Reason.NOT_ADMITTED


def test_each_stay_in_the_waiting_room_has_its_own_time() -> None:
    clock = FakeClock()
    check = WaitingRoom(clock, 900)
    for _ in range(9):
        assert not any(wait(check, clock, 899, Waiting.WAITING_ROOM))
        check.admitted()
        clock.later(1)
    assert wait(check, clock, 901, Waiting.WAITING_ROOM) == [None] * 900 + [Reason.NOT_ADMITTED]


def test_the_waiting_room_does_not_count_time_in_which_nobody_looked() -> None:
    clock = FakeClock()
    check = WaitingRoom(clock, 60)
    assert wait(check, clock, 2, Waiting.WAITING_ROOM) == [None, None]
    clock.later(3600)  # the browser died in the lobby
    assert wait(check, clock, 60, Waiting.WAITING_ROOM) == [None] * 59 + [Reason.NOT_ADMITTED]


# Media


def test_media_flow_while_one_of_many_advances() -> None:
    clock = FakeClock()
    check = MediaFlow(clock, 3)
    for second in range(10):
        flowing = check.take([(1, 5.0), (2, float(second))])
        clock.later(1)
    assert flowing is True


def test_media_that_stand_still_do_not_flow() -> None:
    clock = FakeClock()
    check = MediaFlow(clock, 3)
    check.take([(1, 1.0)])
    clock.later(0.3)
    assert check.take([(1, 2.0)]) is True
    clock.later(2.9)
    assert check.take([(1, 2.0)]) is True
    clock.later(0.1)
    assert check.take([(1, 2.0)]) is False


def test_media_that_never_advanced_do_not_flow() -> None:
    clock = FakeClock()
    check = MediaFlow(clock, 3)
    assert check.take([(1, 0.0)]) is None
    clock.later(3)
    assert check.take([(1, 0.0)]) is False


def test_an_element_that_came_is_not_one_that_advanced() -> None:
    clock = FakeClock()
    check = MediaFlow(clock, 3)
    for number in range(10):
        flowing = check.take([(number, 100.0 + number)])
        clock.later(1)
    assert flowing is False


def test_without_elements_nothing_is_said_of_media() -> None:
    clock = FakeClock()
    check = MediaFlow(clock, 3)
    check.take([(1, 1.0)])
    clock.later(100)
    assert check.take([]) is None
    assert check.take([(1, 1.0)]) is None


# Connection


def reconnect(check: ConnectionLost, clock: FakeClock, looks: Iterable[bool | None]) -> list[Reason | None]:
    """The verdicts of a look each second."""
    verdicts = []
    for reconnecting in looks:
        verdicts.append(check.verdict(reconnecting=reconnecting))
        clock.later(1)
    return verdicts


def test_a_connection_is_lost_after_its_time_without_a_break() -> None:
    clock = FakeClock()
    verdicts = reconnect(ConnectionLost(clock, 120), clock, [True] * 121)
    assert verdicts == [None] * 120 + [Reason.CONNECTION_LOST]


def test_a_connection_that_came_back_is_not_lost() -> None:
    clock = FakeClock()
    assert not any(reconnect(ConnectionLost(clock, 120), clock, ([True] * 120 + [False]) * 20))


@pytest.mark.parametrize("unknown", [1, 18])
def test_a_look_that_tells_nothing_brings_no_connection_back(unknown: int) -> None:
    clock = FakeClock()
    verdicts = reconnect(ConnectionLost(clock, 60), clock, ([True] * (20 - unknown) + [None] * unknown) * 60)
    counted = [reason for number, reason in enumerate(verdicts) if number % 20 < 20 - unknown]
    assert counted.index(Reason.CONNECTION_LOST) == 60


def test_of_the_time_in_which_nobody_looked_a_little_counts() -> None:
    clock = FakeClock()
    check = ConnectionLost(clock, 60)
    check.verdict(reconnecting=True)
    clock.later(3600)  # the page did not answer for an hour
    later = 60 - int(LONGEST_INTERVAL)
    assert reconnect(check, clock, [True] * (later + 1)) == [None] * later + [Reason.CONNECTION_LOST]


def test_looks_that_are_far_apart_find_a_lost_connection_as_well() -> None:
    clock = FakeClock()
    check = ConnectionLost(clock, 60)
    looks = 0
    while check.verdict(reconnecting=True) is None:
        clock.later(LONGEST_INTERVAL + 1)
        looks += 1
    assert looks == math.ceil(60 / LONGEST_INTERVAL)


# Page


def test_a_page_hangs_after_enough_time_and_questions() -> None:
    clock = FakeClock()
    check = PageResponsive(clock, 15)
    hung = []
    for _ in range(6):
        started = clock.now()
        clock.later(3)
        hung.append(check.hung(started))
    assert hung == [False, False, False, False, True, True]


def test_one_question_does_not_make_a_page_hang() -> None:
    clock = FakeClock()
    check = PageResponsive(clock, 15)
    started = clock.now()
    clock.later(1000)  # this machine was suspended
    assert [check.hung(started) for _ in range(FEWEST_SILENT)] == [False, False, True]


def test_an_answer_starts_it_anew() -> None:
    clock = FakeClock()
    check = PageResponsive(clock, 15)
    for _ in range(50):
        started = clock.now()
        clock.later(3)
        assert not check.hung(started)
        started = clock.now()
        clock.later(3)
        assert not check.hung(started)
        check.answered()


# Media received


def audio(
    check: AudioReceived,
    clock: FakeClock,
    seconds: int,
    *,
    heard: bool,
    speaking: bool,
    playing: bool | None = True,
    listening: bool = True,
) -> Reception:
    """The answer after some seconds of looks."""
    found = Reception()
    for _ in range(seconds):
        clock.later(1)
        heard_at = clock.now() if heard else None
        found = check.update(heard_at, listening=listening, speaking=speaking, playing=playing)
    return found


def test_sound_that_is_heard_is_received() -> None:
    clock = FakeClock()
    assert audio(AudioReceived(clock), clock, 1, heard=True, speaking=True).received is True


def test_silence_while_people_speak_is_not_received_and_silence_alone_is_unknown() -> None:
    clock = FakeClock()
    check = AudioReceived(clock)
    assert audio(check, clock, 120, heard=False, speaking=False).received is None
    assert audio(check, clock, 9, heard=False, speaking=True).received is None
    found = audio(check, clock, 2, heard=False, speaking=True)
    assert (found.received, found.reason) == (False, "SilentWhileSpeaking")
    assert audio(check, clock, 1, heard=True, speaking=True).received is True


@pytest.mark.parametrize(
    ("playing", "reason"), [(True, "SilentWhileSpeaking"), (None, "PagePlaysNothing"), (False, "PagePlaysNothing")]
)
def test_silence_says_whether_the_page_plays(playing: bool | None, reason: str) -> None:
    clock = FakeClock()
    found = audio(AudioReceived(clock), clock, 12, heard=False, speaking=True, playing=playing)
    assert (found.received, found.reason) == (False, reason)


def test_somebody_listens_while_frames_come() -> None:
    assert not is_listening(None, 100.0)
    assert is_listening(100.0, 100.0 + LISTENING_SECONDS)
    assert not is_listening(100.0, 100.1 + LISTENING_SECONDS)


def test_what_nobody_listened_to_is_neither_received_nor_missing() -> None:
    clock = FakeClock()
    check = AudioReceived(clock)
    assert audio(check, clock, 9, heard=False, speaking=True).received is None
    assert audio(check, clock, 600, heard=False, speaking=True, listening=False).received is None
    assert audio(check, clock, 2, heard=False, speaking=True).received is False
    assert audio(check, clock, 1, heard=True, speaking=True, listening=False).received is None


def test_no_media_never_fires_from_what_nobody_listened_to() -> None:
    clock = FakeClock()
    check, no_media_check = AudioReceived(clock), NoMedia(clock)
    for _ in range(600):
        found = audio(check, clock, 1, heard=False, speaking=True, listening=False)
        assert no_media_check.verdict(found, video_received(None), speaking=True) is None


def test_a_quiet_beginning_after_some_noise_is_no_missing_media() -> None:
    clock = FakeClock()
    check, no_media_check = AudioReceived(clock), NoMedia(clock)
    for second in range(600):
        speaking = second < 12
        found = audio(check, clock, 1, heard=False, speaking=speaking)
        assert no_media_check.verdict(found, video_received(None), speaking=speaking) is None
    assert found == Reception(received=None, reason="NobodySpeaks"), "nobody was shown as speaking for long"


def test_pictures_are_received_frozen_or_unknown() -> None:
    assert [video_received(each).received for each in (True, False, None)] == [True, False, None]


YES, NO, UNKNOWN = (Reception(received=each) for each in (True, False, None))


def no_media(*looks: tuple[Reception, Reception], seconds: int) -> Reason | None:
    clock = FakeClock()
    check = NoMedia(clock)
    reason = None
    for sound, picture in looks:
        for _ in range(seconds):
            reason = check.verdict(sound, picture, speaking=True)
            clock.later(1)
    return reason


def test_no_media_fires_when_expected_media_never_came() -> None:
    assert no_media((NO, UNKNOWN), seconds=int(NO_MEDIA_SECONDS)) is None
    assert no_media((NO, UNKNOWN), seconds=int(NO_MEDIA_SECONDS) + 1) is Reason.NO_MEDIA
    assert no_media((NO, NO), seconds=int(NO_MEDIA_SECONDS) + 1) is Reason.NO_MEDIA


def test_one_camera_that_never_moves_while_nobody_speaks_yet_ends_nothing() -> None:
    assert no_media((UNKNOWN, NO), seconds=10_000) is None
    assert no_media(*[(UNKNOWN, NO), (UNKNOWN, UNKNOWN)] * 50, seconds=10) is None, "nor cameras that come and go"
    most = int(NO_MEDIA_SECONDS) - 1
    assert no_media((UNKNOWN, NO), (NO, NO), seconds=most) is None, "what was frozen before does not count"


def test_no_media_never_fires_in_a_quiet_meeting_or_after_media_came() -> None:
    assert no_media((UNKNOWN, UNKNOWN), seconds=10_000) is None
    assert no_media((YES, UNKNOWN), (NO, NO), seconds=10_000) is None
    assert no_media((NO, YES), seconds=10_000) is None


def media_stopped(*stretches: tuple[tuple[Reception, Reception], int]) -> list[int]:
    """The seconds at which it fires, looked at each second."""
    clock = FakeClock()
    check, began, fired = MediaStopped(clock), clock.now(), []
    for (sound, picture), seconds in stretches:
        for _ in range(seconds):
            if check.verdict(sound, picture) is Reason.CONNECTION_LOST:
                fired.append(round(clock.now() - began))
            clock.later(1)
    return fired


def test_media_that_both_stop_for_a_minute_are_a_lost_connection_once_until_they_come_again() -> None:
    stopped, most = (NO, NO), int(MEDIA_STOPPED_SECONDS)
    assert media_stopped(((YES, YES), 10), (stopped, 500)) == [10 + most - 1]
    again = media_stopped(((YES, YES), 10), (stopped, 500), ((UNKNOWN, YES), 10), (stopped, 500))
    assert again == [10 + most - 1, 520 + most - 1]


@pytest.mark.parametrize("doubtful", [(UNKNOWN, NO), (NO, UNKNOWN), (NO, YES), (YES, NO)])
def test_media_that_only_may_have_stopped_or_for_less_than_a_minute_are_no_lost_connection(
    doubtful: tuple[Reception, Reception],
) -> None:
    assert media_stopped(((YES, YES), 10), (doubtful, 1000)) == []
    most = int(MEDIA_STOPPED_SECONDS)
    assert media_stopped(((YES, YES), 10), *[((NO, NO), most - 1), (doubtful, 1)] * 20) == []
    assert media_stopped(((NO, NO), 1000)) == [], "what never came is NoMedia's"


# The browser dies


def test_more_restarts_than_allowed_within_the_window_fire() -> None:
    clock = FakeClock()
    restarts = BrowserRestarts(clock, most=3, seconds=600)
    verdicts = []
    for _ in range(4):
        verdicts.append(restarts.verdict())
        clock.later(199)
    assert verdicts == [None, None, None, Reason.BROWSER_CRASHED]
    assert restarts.total == 3


def test_deaths_on_the_way_into_the_call_fire_however_far_apart() -> None:
    clock = FakeClock()
    restarts = BrowserRestarts(clock, most=3, seconds=600)
    verdicts = []
    for _ in range(4):
        verdicts.append(restarts.verdict())
        clock.later(700)
    assert verdicts == [None, None, None, Reason.BROWSER_CRASHED]
    assert restarts.total == 3


def test_deaths_in_the_call_that_are_far_apart_never_fire() -> None:
    clock = FakeClock()
    restarts = BrowserRestarts(clock, most=3, seconds=600)
    for _ in range(50):
        assert restarts.verdict() is None
        clock.later(200)
        restarts.in_call()
    assert restarts.total == 50


def test_that_pictures_arrived_stays_true_when_the_last_camera_is_off() -> None:
    unknown, arrived, frozen = video_received(None), video_received(True), video_received(False)
    assert last_known(unknown, arrived) == last_known(arrived, unknown) == arrived
    assert last_known(arrived, frozen) == frozen
    assert last_known(frozen, unknown) == unknown


# Only bots, and silence


def test_bots_among_themselves_are_left_and_a_person_begins_it_anew() -> None:
    clock = FakeClock()
    check = OnlyBots(clock, 60)
    verdicts = []
    for only_bots in [True] * 50 + [False] + [True] * 61:
        clock.later(1)
        verdicts.append(check.verdict(only_bots=only_bots))
    assert verdicts == [None] * 111 + [Reason.ONLY_BOTS_LEFT]


def test_bots_that_nobody_looked_at_are_not_left() -> None:
    clock = FakeClock()
    check = OnlyBots(clock, 60)
    check.verdict(only_bots=True)
    clock.later(3600)
    assert check.verdict(only_bots=True) is None


def test_looks_that_tell_nothing_are_no_bots_and_no_people() -> None:
    clock = FakeClock()
    check = OnlyBots(clock, 60)
    verdicts = []
    for only_bots in [True] * 50 + [None] * 600 + [True] * 11:
        clock.later(1)
        verdicts.append(check.verdict(only_bots=only_bots))
    assert verdicts == [None] * 660 + [Reason.ONLY_BOTS_LEFT]


def test_silence_ends_a_meeting_only_where_the_session_asks() -> None:
    clock = FakeClock()
    asked, never = Silence(clock, 60), Silence(clock, None)
    verdicts = []
    for second in range(120):
        clock.later(1)
        heard_at = float(second) if second < 50 else 49.0
        verdicts.append(asked.verdict(heard_at, listening=True))
        assert never.verdict(heard_at, listening=True) is None
    assert verdicts.index(Reason.SILENCE) == 109


def test_silence_from_the_beginning_counts_from_the_first_look() -> None:
    clock = FakeClock()
    check = Silence(clock, 5)
    verdicts = []
    for _ in range(7):
        clock.later(1)
        verdicts.append(check.verdict(None, listening=True))
    assert verdicts == [None] * 5 + [Reason.SILENCE] * 2


def test_time_in_which_nobody_listened_is_no_silence() -> None:
    clock = FakeClock()
    check = Silence(clock, 60)
    verdicts = []
    for second in range(1000):
        clock.later(1)
        verdicts.append(check.verdict(50.0, listening=second < 40 or second >= 900))
    assert verdicts.index(Reason.SILENCE) == 920
