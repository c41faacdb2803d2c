"""What to capture and how: the one place with ffmpeg's capture settings, and why they are so.

* Matroska segments with ``flush_packets`` and half-second clusters: a killed ffmpeg loses at most the open cluster.
* Both inputs stamp with the wall clock. By default ffmpeg moves the start of *each input* to zero, and so shifts sound
  against picture by the difference of their opening times (60-180 ms, another one in each run). ``-copyts`` with the
  same ``-itsoffset`` for both keeps their true relation and puts zero at the run's start on the session clock.
* x264 ``ultrafast``: layout at 15 frames/s costs a tenth of a core; no B-frames, so nothing is reordered.
* ``aresample=async=1`` fills what PulseAudio dropped with silence, so that a gap in the sound does not shift the rest;
  it does not stretch, which would damage speech.
* ``-shortest`` ends the run with the first input that ends or fails. Without it ffmpeg goes on with the picture alone
  when PulseAudio ends its stream. (``-xerror`` would also end it at each small correction of the clock.)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meeting_buddy.contract.assignment import RecordingConfig

KEYFRAME_SECONDS: Final = 2
"""Distance of key frames; segments are cut at one."""
CLUSTER_MILLISECONDS: Final = 500
"""What a kill can lose: Matroska's muxer holds a cluster back until it is complete."""

SIZES: Final[dict[str, tuple[int, int]]] = {"720p": (1280, 720), "1080p": (1920, 1080)}


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """What kind of files a recording consists of."""

    size: tuple[int, int] | None
    """Of the picture in pixels; ``None``: sound only."""

    @property
    def suffix(self) -> str:
        """Suffix of a segment's file name."""
        return ".mkv" if self.size else ".mka"

    @property
    def result(self) -> str:
        """Name of the finished file."""
        return "recording.mp4" if self.size else "recording.m4a"


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """Where picture and sound come from and at what size and rate they are written."""

    display: str
    """X display, such as ``:99``."""
    server: str
    """PulseAudio server, such as ``unix:/run/mb/pulse``."""
    monitor: str
    """Its source with the meeting's sound."""
    size: tuple[int, int] | None
    """Pixels; ``None``: sound only."""
    frame_rate: int = 15
    segment_seconds: int = 30

    @property
    def suffix(self) -> str:
        """Suffix of a segment's file name."""
        return MediaFormat(self.size).suffix

    @property
    def result(self) -> str:
        """Name of the finished file."""
        return MediaFormat(self.size).result


def picture_size(config: RecordingConfig) -> tuple[int, int] | None:
    """Size of the picture that is recorded; ``None``: sound only."""
    return SIZES.get(config.video)


def screen_size(config: RecordingConfig) -> tuple[int, int]:
    """Size of the screen: the page needs one even when only its sound is recorded."""
    return SIZES.get(config.video, SIZES["720p"])


def capture_argv(plan: CapturePlan, *, epoch: float, pattern: Path, first: int, list_fd: int) -> list[str]:
    """Command line of one run of ffmpeg.

    Args:
        plan: what to capture.
        epoch: wall clock (Unix seconds) at the run's start; it becomes zero in the files' timestamps.
        pattern: segment files, with ``%05d`` for the number.
        first: number of the first segment.
        list_fd: descriptor to which a line with the name of each segment is written when it is closed.
    """
    picture = _picture(plan, plan.size, epoch) if plan.size else []
    encode = _encode_picture(plan.frame_rate) if plan.size else []
    # fmt: off
    return [
        "ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error",
        "-progress", "pipe:1", "-stats_period", "0.25",
        "-copyts",
        # Sound first: PulseAudio may take a second to deliver, and a display that is already grabbed would stand still
        # until then and catch up with a burst of frames.
        # 20 ms fragments: what PulseAudio has not handed over yet is lost with a kill.
        "-itsoffset", f"{-epoch:.6f}", "-thread_queue_size", "512", "-probesize", "32", "-analyzeduration", "0",
        "-f", "pulse", "-server", plan.server, "-sample_rate", "48000", "-channels", "2", "-fragment_size", "3840",
        "-name", "Meeting Buddy", "-stream_name", "recorder", "-i", plan.monitor,
        *picture,
        *(["-map", "1:v:0"] if plan.size else []), "-map", "0:a:0",
        *encode,
        "-af", "aresample=async=1", "-c:a", "aac", "-b:a", "96k",
        "-max_interleave_delta", "2000000",
        "-shortest",
        "-f", "segment", "-segment_time", str(plan.segment_seconds), "-segment_format", "matroska",
        "-segment_format_options", f"flush_packets=1:cluster_time_limit={CLUSTER_MILLISECONDS}",
        "-segment_list", f"pipe:{list_fd}", "-segment_list_type", "flat",
        "-segment_start_number", str(first), str(pattern),
    ]
    # fmt: on


def _picture(plan: CapturePlan, size: tuple[int, int], epoch: float) -> list[str]:
    # A queue of four raw frames: a starved encoder drops frames instead of filling the memory with them.
    # fmt: off
    return [
        "-itsoffset", f"{-epoch:.6f}", "-thread_queue_size", "4", "-probesize", "32", "-analyzeduration", "0",
        "-f", "x11grab", "-draw_mouse", "0", "-framerate", str(plan.frame_rate),
        "-video_size", f"{size[0]}x{size[1]}", "-i", plan.display,
    ]
    # fmt: on


def _encode_picture(rate: int) -> list[str]:
    # Frames keep the time at which they were grabbed (1 ms); a constant rate would double one and drop the next
    # whenever a grab came a little late. Players take HD without a colour tag as BT.709, so that is what is written.
    # fmt: off
    return [
        "-fps_mode", "passthrough", "-enc_time_base", "1:1000",
        "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-threads", "2",
        "-g", str(rate * KEYFRAME_SECONDS), "-force_key_frames", f"expr:gte(t,n_forced*{KEYFRAME_SECONDS})",
    ]
    # fmt: on
