"""Shows what a session left on the volume, and judges whether it holds what was said."""

from __future__ import annotations

from tests.local.clone import REPOSITORY
from tests.local.installation.attendance import Attendance
from tests.local.media import picture
from tests.local.media.probe import probe, still

STILL = REPOSITORY / ".demo" / "still.png"


def show(session: Attendance) -> bool:
    """Print files, durations, a still and the comparison; true when people are heard, understood and seen in it.

    How much a busy machine lost on the way is shown and does not decide.
    """
    place = session.folder
    print(f"  in {place}:")
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        print(f"  {path.stat().st_size:>12,}  {path.relative_to(place)}")
    recording = place / "recording.mp4"
    media = probe(recording)
    print(f"\n  {recording.name}: {media.seconds:.1f} s, {', '.join(one.codec for one in media.streams)}")
    heard = session.heard()
    print(f"  words:   {heard.words} in the recording")
    print(f"  sound:   {heard.likeness}; {heard.correlation}")
    watched = picture.watch(recording, frame_rate=15)
    print(f"  picture: {watched}")
    STILL.parent.mkdir(exist_ok=True)
    print(f"  still:   {still(recording, media.seconds / 2, STILL)}")
    found = session.understood()
    print(f"  text:    {found}")
    if not heard.words.passed:
        print(f"\n  The recording does not hold what was said:\n{heard.table()}")
    if not found.words.passed:
        print(f"\n  The transcript does not hold what was said:\n{found.words.text}")
    if not watched.moves:
        print("\n  The recording does not show the people: no counter of theirs that runs can be read in it.")
    return heard.words.passed and found.words.passed and watched.moves
