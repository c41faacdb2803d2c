"""Looks into recorded media: was what was spoken heard, was what was shown seen, and at the same time?

Numpy beside ffmpeg, ffprobe and a speech recogniser. Knows nothing of meetings, bots or clusters, so that it can judge
any recording.
"""
