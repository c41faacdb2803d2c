"""Whether processors are short: a kernel that says what the test wrote, and its files as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meeting_buddy_bot.transcription.shortage import (
    Shortage,
    ShortageGauge,
    container_throttled,
    longest_wait,
    node_idle,
    node_stalled,
    thread_waits,
)


class Kernel:
    """Counts how long something waited, while a decoding takes turns with a pause."""

    def __init__(self, *, silent: bool = False) -> None:
        self.now = 100.0
        self.stalled = 5000.0
        self.idle: float | None = 300.0
        self.idle_share = 0.05
        self.throttled, self.periods = 7.0, 900.0
        self.silent = silent
        self.gauge = ShortageGauge(
            lambda: None if self.silent else self.stalled,
            lambda: None if self.silent else self.idle,
            lambda: None if self.silent else (self.throttled, self.periods),
            lambda: self.now,
            processors=2,
        )

    def run(self, seconds: float, share: float, throttled: float = 0.0) -> None:
        """Time in which something waits for so much of it, and the container is stopped in such a share of periods."""
        self.now += seconds
        self.stalled += share * seconds
        if self.idle is not None:
            self.idle += self.idle_share * seconds
        self.throttled += throttled * 10 * seconds
        self.periods += 10 * seconds

    def decode(self, share: float = 0.0, throttled: float = 0.0) -> None:
        self.gauge.begin()
        self.run(1.0, share, throttled)
        self.gauge.end()

    def speak(self, seconds: int, share: float, *, decoding: float = 0.0, throttled: float = 0.0) -> Shortage:
        """Decodings of a second with pauses of one: what waits in the pauses, and in the decodings."""
        for _ in range(seconds // 2):
            self.decode(decoding, throttled)
            self.run(1.0, share, throttled)
            self.gauge.look()
        return self.gauge.shortage


@pytest.mark.parametrize(
    ("share", "shortage"),
    [(0.0, Shortage.NONE), (0.5, Shortage.NONE), (0.7, Shortage.SHORT), (0.95, Shortage.SEVERE)],
)
def test_what_waits_between_decodings_tells_of_the_node(share: float, shortage: Shortage) -> None:
    assert Kernel().speak(120, share) is shortage


def test_a_decoder_that_waits_itself_is_no_shortage() -> None:
    assert Kernel().speak(120, 0.2, decoding=1.0) is Shortage.NONE


def test_what_waits_while_processors_idle_is_no_shortage() -> None:
    kernel = Kernel()
    kernel.idle_share = 0.3  # a large node, or limits that stop others
    assert kernel.speak(120, 1.0) is Shortage.NONE


def test_processors_that_idle_beside_decodings_end_a_shortage() -> None:
    kernel = Kernel()
    assert kernel.speak(60, 1.0) is Shortage.SEVERE
    kernel.idle_share = 0.65
    for _ in range(30):
        kernel.decode(1.0)  # the next one follows at once
    assert kernel.gauge.shortage is Shortage.NONE


@pytest.mark.parametrize(("before", "waits"), [(0.0, 1.0), (1.0, 0.0)])
def test_what_waits_beside_decodings_neither_begins_a_shortage_nor_ends_it(before: float, waits: float) -> None:
    kernel = Kernel()
    shortage = kernel.speak(60, before)
    for _ in range(60):
        kernel.decode(waits)
    assert kernel.gauge.shortage is shortage


def test_where_nobody_tells_who_idles_what_waits_is_enough() -> None:
    kernel = Kernel()
    kernel.idle = None
    assert kernel.speak(120, 1.0) is Shortage.SEVERE


def test_a_moment_is_no_shortage() -> None:
    assert Kernel().speak(4, 1.0) is Shortage.NONE


def test_a_shortage_lasts_until_there_is_room_again() -> None:
    kernel = Kernel()
    assert kernel.speak(60, 1.0) is Shortage.SEVERE
    assert kernel.speak(60, 0.7) is Shortage.SEVERE
    assert kernel.speak(60, 0.5) is Shortage.SHORT
    assert kernel.speak(60, 0.7) is Shortage.SHORT
    assert kernel.speak(60, 0.3) is Shortage.NONE
    assert kernel.speak(60, 0.5) is Shortage.NONE


@pytest.mark.parametrize(
    ("idle_share", "shortage"), [(0.1, Shortage.SHORT), (0.45, Shortage.SHORT), (0.55, Shortage.NONE)]
)
def test_the_first_decoding_needs_a_processor_that_idles(idle_share: float, shortage: Shortage) -> None:
    kernel = Kernel()
    kernel.idle_share = idle_share  # of two
    for _ in range(60):
        kernel.run(1.0, 1.0)
        kernel.gauge.look()
    assert kernel.gauge.shortage is shortage
    kernel.gauge.begin()
    assert kernel.gauge.shortage is shortage


def test_before_the_first_decoding_a_little_more_than_a_processor_is_room_again() -> None:
    kernel = Kernel()
    found = []
    for kernel.idle_share in (0.45, 0.55, 0.7, 0.55):
        for _ in range(60):
            kernel.run(1.0, 1.0)
            kernel.gauge.look()
        found.append(kernel.gauge.shortage)
    assert found == [Shortage.SHORT, Shortage.SHORT, Shortage.NONE, Shortage.NONE]


def test_what_idled_before_the_first_decoding_counts_until_something_tells_more() -> None:
    kernel = Kernel()
    kernel.gauge.look()
    kernel.run(1.0, 1.0)
    kernel.gauge.look()
    assert kernel.gauge.shortage is Shortage.SHORT
    kernel.decode(1.0)
    assert kernel.gauge.shortage is Shortage.SHORT
    assert kernel.speak(10, 0.0) is Shortage.NONE


def test_what_waited_before_the_first_decoding_does_not_count() -> None:
    kernel = Kernel()
    kernel.idle_share = 0.55
    for _ in range(60):
        kernel.run(1.0, 1.0, throttled=1.0)
        kernel.gauge.look()
    assert kernel.speak(4, 1.0) is Shortage.NONE


@pytest.mark.parametrize(
    ("share", "shortage"),
    [(0.0, Shortage.NONE), (0.15, Shortage.NONE), (0.4, Shortage.SHORT), (0.8, Shortage.SEVERE)],
)
def test_a_container_that_is_stopped_for_its_limit_is_short(share: float, shortage: Shortage) -> None:
    assert Kernel().speak(120, 0.0, throttled=share) is shortage


def test_how_many_processors_a_limit_stops_makes_no_difference(tmp_path: Path) -> None:
    kernel = Kernel()
    gauge = ShortageGauge(lambda: 0.0, lambda: 0.0, lambda: container_throttled(tmp_path), lambda: kernel.now)
    for second in range(120):  # each of eight processors is stopped in every tenth period, for 40 ms of it
        kernel.now += 1.0
        (tmp_path / "cpu.stat").write_text(
            f"nr_periods {10 * second}\nnr_throttled {second}\nthrottled_usec {8 * 40_000 * second}\n"
        )
        gauge.look()
        gauge.begin()
        gauge.end()
    assert gauge.shortage is Shortage.NONE


def test_a_container_that_wants_no_processor_is_not_short() -> None:
    kernel = Kernel()
    assert kernel.speak(60, 0.0, throttled=0.8) is Shortage.SEVERE
    for _ in range(60):
        kernel.now += 1.0
        kernel.gauge.look()
    assert kernel.gauge.shortage is Shortage.NONE


def test_a_kernel_that_says_nothing_is_no_shortage() -> None:
    assert Kernel(silent=True).speak(120, 1.0, throttled=1.0) is Shortage.NONE


def test_a_shortage_of_which_the_kernel_says_no_more_is_over() -> None:
    kernel = Kernel()
    assert kernel.speak(60, 1.0, throttled=1.0) is Shortage.SEVERE
    kernel.silent = True
    assert kernel.speak(60, 1.0, throttled=1.0) is Shortage.NONE


def test_the_kernels_files_are_read(tmp_path: Path) -> None:
    pressure = tmp_path / "pressure"
    pressure.write_text(
        "some avg10=1.43 avg60=1.53 avg300=19.64 total=27260927351\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    assert node_stalled(pressure) == pytest.approx(27260.927351)
    (tmp_path / "stat").write_text("cpu  10 0 5 6000 400 0 0\ncpu0 5 0 3 3000 200\ncpu1 5 0 2 3000 200\nintr 7 8\n")
    assert node_idle(tmp_path / "stat") == pytest.approx(6400 / os.sysconf("SC_CLK_TCK") / 2)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.stat").write_text("nr_periods 5\nnr_throttled 2\nthrottled_time 1500000000\n")
    assert container_throttled(tmp_path) == (2, 5)
    (tmp_path / "cpu.stat").write_text("usage_usec 9\nnr_periods 6\nnr_throttled 3\nthrottled_usec 2500000\n")
    assert container_throttled(tmp_path) == (3, 6)


@pytest.mark.parametrize("text", ["", "some\n", "some avg10=1.43 total=many\n", "full avg10=0.00 total=0\n", "\0\xff"])
def test_files_of_another_kind_say_nothing(tmp_path: Path, text: str) -> None:
    for name in ("pressure", "cpu.stat", "stat"):
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert node_stalled(tmp_path / "pressure") is None
    assert node_idle(tmp_path / "stat") is None
    assert container_throttled(tmp_path) is None


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert node_stalled(tmp_path / "pressure") is None
    assert node_stalled(tmp_path) is None  # as one that cannot be read
    assert container_throttled(tmp_path) is None
    assert thread_waits(tmp_path / "task") == {}


def test_the_thread_that_waited_longest_counts(tmp_path: Path) -> None:
    for thread, waited in (("7", "1000000000"), ("8", "4000000000")):
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "schedstat").write_text(f"99 {waited} 3\n")
    (tmp_path / "9").mkdir()  # it ends just now
    before = thread_waits(tmp_path)
    assert before == {"7": 1.0, "8": 4.0}
    assert longest_wait(before, {"7": 3.0, "8": 4.5, "10": 0.5}) == pytest.approx(2.0)
    assert longest_wait(before, {}) == 0.0
