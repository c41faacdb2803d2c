"""Lists of recordings readers that the HTTP API takes: all of a session in which bots follow each other for a week."""

from __future__ import annotations

import json
from dataclasses import asdict

from meeting_buddy.contract.reader import MAX_FILES
from meeting_buddy.http_api.readers import LONGEST_LIST, StoredFiles
from meeting_buddy_bot.recordings.listing import MAX_SEGMENTS, Claim, Entry

OTHERS = 10
"""Files beside the segments: recording, transcripts, events."""


def test_a_list_with_all_segments_that_a_reader_names_is_taken() -> None:
    assert MAX_SEGMENTS + OTHERS <= MAX_FILES
    assert MAX_FILES >= 5 * 48 * 120 + OTHERS, "as many as five bots of 48 hours record"
    size = 10**8  # half a minute of a large picture
    entries = [
        Entry.of(f"segments/{number:05d}.mkv", Claim("segment", size, "0" * 64), size)
        for number in range(100_000, 100_000 + MAX_FILES)
    ]
    files = [{**asdict(each), "media_type": each.media_type, "final": each.final} for each in entries]
    body = json.dumps({"files": files, "verified": False})
    assert len(body) <= LONGEST_LIST
    found = StoredFiles.model_validate_json(body)
    assert (len(found.files), found.files[-1].name, found.files[-1].bytes) == (MAX_FILES, entries[-1].name, size)
    assert not hasattr(found.files[0], "__dict__"), "of thousands, each takes little memory"
