"""The sound card that the page plays into and the recorder listens to: one PulseAudio with one silent sink.

Started bare (``-n``), with just what is needed: a Unix socket for the pod's two containers, a sink clocked at 48 kHz
whose monitor is recorded, and a silent source as the default one, so that a page that opens "the microphone" hears
silence and never the meeting's own sound. The socket takes anyone of the pod (``auth-anonymous``): its folder is an
emptyDir that only the pod's two containers mount.

The sink's clock is true only while it works in blocks of whole milliseconds: it counts time by adding up each block's
length, cut to a microsecond. Chromium asks for 512 frames at the server's default rate of 44.1 kHz, and with that the
sink ran 95 to 132 ppm fast (half a second an hour; receivers then stretch speech to keep up). At 48 kHz and 480 frames
(``browser/options.py``) it is true to a few ppm, and nothing is resampled.

Chromium opens its connection once. After this process was started again it plays to nobody, without an error that the
page could see; a page that is loaded anew does, too. So whoever uses the browser gives it up (``session/meeting_run``).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from meeting_buddy_bot.devices.device import Device, socket_accepts

_SINK = "meeting"

_SETTINGS = "default-sample-rate = 48000\n"
"""What a client that does not care, such as Chromium, plays at."""

_SCRIPT = f"""\
.fail
load-module module-null-sink sink_name={_SINK} rate=48000 channels=2 sink_properties=device.description=Meeting
load-module module-null-source source_name=silence rate=48000 channels=2 description=Silence
set-default-sink {_SINK}
set-default-source silence
load-module module-native-protocol-unix auth-anonymous=1 socket=%s
"""
"""The socket comes last: once it answers, the sink is there."""


class Sound(Device):
    """PulseAudio whose socket is ``folder/pulse``."""

    name = "PulseAudio"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._socket = folder / "pulse"
        # PulseAudio insists on a private folder that it owns; the root of an emptyDir belongs to uid 0 and will not do.
        self._private = tempfile.TemporaryDirectory(prefix="pulse-")

    @property
    def server(self) -> str:
        """What goes into ``PULSE_SERVER``."""
        return f"unix:{self._socket}"

    @property
    def monitor(self) -> str:
        """Name of the source that carries all that the page plays."""
        return f"{_SINK}.monitor"

    def _argv(self) -> list[str]:
        # fmt: off
        return [
            "pulseaudio", "-n", "-F", str(self._script),
            "--daemonize=no", "--exit-idle-time=-1", "--disallow-module-loading", "--disallow-exit",
            "--use-pid-file=no", "--log-target=stderr", "--log-level=warning",
            "--high-priority=no", "--realtime=no",  # neither is allowed without capabilities
            "--disable-shm=yes",  # the other container's end cannot be trusted with shared memory
        ]
        # fmt: on

    def _environment(self) -> Mapping[str, str]:
        # There is no D-Bus in the pod; without these it looks for one a dozen times and complains each time.
        return {
            "XDG_RUNTIME_DIR": self._private.name,
            "XDG_CONFIG_HOME": self._private.name,
            "PULSE_CONFIG": str(self._settings),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "DBUS_SYSTEM_BUS_ADDRESS": "disabled:",
        }

    @property
    def _script(self) -> Path:
        return Path(self._private.name) / "meeting.pa"

    @property
    def _settings(self) -> Path:
        return Path(self._private.name) / "daemon.conf"

    def _prepare(self) -> None:
        self._settings.write_text(_SETTINGS)
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        self._script.write_text(_SCRIPT % self._socket)

    async def responds(self) -> bool:
        """Whether the socket accepts. A hanging PulseAudio still does; that one is noticed by who listens to it."""
        return await socket_accepts(str(self._socket))

    async def stop(self) -> None:
        """End PulseAudio and remove what it kept."""
        await super().stop()
        self._private.cleanup()
