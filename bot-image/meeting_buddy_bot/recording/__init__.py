"""From what the page plays and shows to files that survive a kill: AudioSource, Recorder, segments, manifest, one file.

A sound's way: PulseAudio's monitor → one ffmpeg (:mod:`capture`) → 30-second Matroska segments (:mod:`segments`) → a
manifest line with the SHA-256 of each (:mod:`manifest`) → one verified file (:mod:`finalizer`).
:mod:`recorder` keeps it going.
"""
