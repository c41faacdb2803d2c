"""A person's browser on this machine: headful Chromium on a display and a sound device of its own, seen and heard.

The reference against which a bot is measured, and the proof that a meeting works without any bot: display, sound,
browser and recorder exist for one `with` block.  Chromium runs as an unprivileged user with its own sandbox on.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.local.meetings import priority
from tests.support.machine_wide import free_port

USER = 1810  # no account of this machine; it may do nothing that its files do not allow
SIZE = (1280, 720)
_PATIENCE = 60.0  # seconds for a program to be ready on a loaded machine


@dataclass(frozen=True, slots=True)
class ReferenceBrowser:
    """A browser that is running, with the display it paints and the sink it plays into."""

    driver: WebDriver
    display: str
    pulse: str
    sink: str
    folder: Path

    def join(self, link: str, name: str) -> None:
        """Open a LiveKit meeting, enter it under `name` without microphone and camera; return when in the call."""
        self.driver.get(link)
        wait = WebDriverWait(self.driver, _PATIENCE)
        wait.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".lk-prejoin #username"))
        for source in ("microphone", "camera"):
            toggle = self.driver.find_element(By.CSS_SELECTOR, f".lk-prejoin button[data-lk-source={source}]")
            if toggle.get_attribute("aria-pressed") == "true":
                toggle.click()
        self.driver.find_element(By.ID, "username").send_keys(name)
        wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, ".lk-join-button").is_enabled())
        self.driver.find_element(By.CSS_SELECTOR, ".lk-join-button").click()
        wait.until(
            lambda driver: (
                driver.find_elements(By.CSS_SELECTOR, ".lk-participant-tile[data-lk-local-participant=true]")
                and not driver.find_elements(By.CSS_SELECTOR, ".lk-toast-connection-state")
            )
        )

    def path_becomes(self, path: str, seconds: float = _PATIENCE) -> bool:
        """True as soon as the page shows this path of its site; False when it does not within `seconds`."""
        try:
            return bool(
                WebDriverWait(self.driver, seconds).until(lambda driver: urlsplit(driver.current_url).path == path)
            )
        except TimeoutException:
            return False

    def leave(self) -> None:
        """Click Leave; a browser that just ends stays listed for twenty seconds."""
        for button in self.driver.find_elements(By.CSS_SELECTOR, ".lk-disconnect-button"):
            button.click()

    def sandbox(self) -> str:
        """What `chrome://sandbox` says, as text."""
        self.driver.get("chrome://sandbox")
        WebDriverWait(self.driver, _PATIENCE).until(lambda driver: "sandbox" in _text(driver).lower())
        return _text(self.driver)

    @contextmanager
    def recording(self, target: Path, *, frame_rate: int = 15) -> Iterator[float]:
        """Record display and sink into a Matroska file during the block; yields the wall clock (Unix seconds) at 0 s.

        Begin before the browser plays its first sound: a null sink to which nobody listens works in blocks of up to
        two seconds, and Chromium would then stretch its first ten seconds to work off the backlog.
        Raises `RuntimeError` when ffmpeg does not start or ends with an error.
        """
        log = self.folder / "ffmpeg.log"
        epoch = time.time()
        with log.open("wb") as said:
            process = subprocess.Popen(
                recorder_argv(self.display, self.sink, target, frame_rate, epoch),
                env={**os.environ, "PULSE_SERVER": self.pulse},
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            priority.prefer_session(process.pid)
        assert process.stdin is not None
        try:
            deadline = time.monotonic() + _PATIENCE
            while not (target.exists() and target.stat().st_size):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no recording: {log.read_text()}")
                time.sleep(0.02)  # ffmpeg has no other sign that its inputs are open
            yield epoch
        finally:
            if process.poll() is None:
                process.communicate(b"q", timeout=_PATIENCE)
        if process.returncode != 0:
            raise RuntimeError(f"the recording failed: {log.read_text()}")


def recorder_argv(display: str, sink: str, target: Path, frame_rate: int, epoch: float) -> list[str]:
    """ffmpeg for picture and sound on one time axis that begins at `epoch` (Unix seconds).

    Both devices stamp with the wall clock. Left to itself ffmpeg would begin each of them at its own zero, and the
    difference of their opening times, up to a quarter of a second, would stay between sound and picture.
    """
    width, height = SIZE
    common = ["-thread_queue_size", "512", "-itsoffset", f"-{epoch:.3f}"]
    picture = ["-f", "x11grab", "-draw_mouse", "0", "-framerate", str(frame_rate), "-video_size", f"{width}x{height}"]
    sound = ["-f", "pulse", "-sample_rate", "48000", "-channels", "2", "-fragment_size", "3840"]
    return [
        *priority.ARGV,
        *("ffmpeg", "-hide_banner", "-loglevel", "warning", "-y", "-copyts"),
        *(*common, *picture, "-i", display),
        *(*common, *sound, "-i", f"{sink}.monitor"),
        *("-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-pix_fmt", "yuv420p"),
        *("-map", "1:a", "-c:a", "libopus", "-b:a", "96k"),
        *("-flush_packets", "1", "-f", "matroska", str(target)),
    ]


@contextmanager
def reference_browser(
    authority: Path, hosts: dict[str, str], *, arguments: Sequence[str] = ()
) -> Iterator[ReferenceBrowser]:
    """A browser that trusts `authority` (PEM) and knows no host but `hosts` (name -> address). Needs root."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="mb-reference-browser-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        home = folder / "home"
        for made in (folder, home, folder / "run"):
            made.mkdir(exist_ok=True, mode=0o700)
            os.chown(made, USER, USER)
        _trust(home, authority)
        display = _display(stack, folder)
        pulse, sink = _sound(stack, folder)
        environment = {"HOME": str(home), "DISPLAY": display, "PULSE_SERVER": pulse, "PATH": os.environ["PATH"]}
        port = _chromedriver(stack, folder, environment)
        rules = ", ".join([*(f"MAP {name} {address}" for name, address in hosts.items()), "MAP * ~NOTFOUND"])
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in (
            f"--host-resolver-rules={rules}",
            f"--user-data-dir={home}/profile",
            f"--window-size={SIZE[0]},{SIZE[1]}",
            "--window-position=0,0",
            "--kiosk",
            "--no-first-run",
            "--disable-background-networking",
            "--autoplay-policy=no-user-gesture-required",
            "--audio-buffer-size=480",  # as a bot's: with any other the sink's clock, and so speech, is not true
            *arguments,
        ):
            options.add_argument(argument)
        options.add_experimental_option("excludeSwitches", ["enable-automation"])  # its banner would be recorded
        driver = webdriver.Remote(
            ChromiumRemoteConnection(f"http://127.0.0.1:{port}", "goog", "chrome"), options=options
        )
        stack.callback(driver.quit)
        yield ReferenceBrowser(driver, display, pulse, sink, folder)


def _unprivileged(*argv: str) -> list[str]:
    ids = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    return [
        *priority.ARGV,
        "setpriv",
        *ids,
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--pdeathsig=KILL",
        *argv,
    ]


def _trust(home: Path, authority: Path) -> None:
    store = home / ".pki" / "nssdb"
    certificate = home / "authority.crt"
    certificate.write_bytes(authority.read_bytes())
    certificate.chmod(0o644)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(_unprivileged("mkdir", "-p", str(store)), check=True)
    database = f"sql:{store}"
    for argv in (
        ("certutil", "-d", database, "-N", "--empty-password"),
        ("certutil", "-d", database, "-A", "-t", "C,,", "-n", "meeting", "-i", str(certificate)),
    ):
        subprocess.run(_unprivileged(*argv), check=True, env=environment)


def _run(stack: ExitStack, argv: Sequence[str], log: Path, **options: object) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **options
        )  # type: ignore[call-overload]
    priority.prefer_session(process.pid)
    stack.callback(_end, process)
    return process  # type: ignore[no-any-return]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _display(stack: ExitStack, folder: Path) -> str:
    reader, writer = os.pipe()
    screen = f"{SIZE[0]}x{SIZE[1]}x24"
    argv = _unprivileged("Xvfb", "-displayfd", str(writer), "-screen", "0", screen, "-nolisten", "tcp", "-nocursor")
    _run(stack, argv, folder / "xvfb.log", pass_fds=(writer,))
    os.close(writer)
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        raise RuntimeError(f"no display: {(folder / 'xvfb.log').read_text()}")
    return f":{number}"


def _sound(stack: ExitStack, folder: Path) -> tuple[str, str]:
    address = folder / "run" / "sound"  # not "pulse": PulseAudio makes a folder of that name for itself
    argv = _unprivileged(
        *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=no", "--use-pid-file=no"),
        *("-L", "module-null-sink sink_name=meeting rate=48000 channels=2"),
        *("-L", f"module-native-protocol-unix auth-anonymous=1 socket={address}"),
    )
    settings = folder / "daemon.conf"
    settings.write_text("default-sample-rate = 48000\n")
    environment = {
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "PATH": os.environ["PATH"],
        "PULSE_CONFIG": str(settings),
    }
    process = _run(stack, argv, folder / "pulse.log", env=environment)
    deadline = time.monotonic() + _PATIENCE
    while not _accepts(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no sound: {(folder / 'pulse.log').read_text()}")
        time.sleep(0.02)  # PulseAudio has no way to say that it is ready
    return f"unix:{address}", "meeting"


def _accepts(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(address)) == 0


def _chromedriver(stack: ExitStack, folder: Path, environment: dict[str, str]) -> int:
    log = folder / "chromedriver.log"
    process = _run(stack, _unprivileged("chromedriver", f"--port={free_port()}"), log, env=environment)
    deadline = time.monotonic() + _PATIENCE
    while True:
        said = re.search(r"started successfully on port (\d+)", log.read_text())
        if said:
            return int(said[1])
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no chromedriver: {log.read_text()}")
        time.sleep(0.02)  # it prints its port


def _text(driver: WebDriver) -> str:
    return driver.find_element(By.TAG_NAME, "body").text
