"""Looks into recorded media: was what was spoken heard, was what was shown seen, and at the same time?

Pure numpy beside ffmpeg and ffprobe. Knows nothing of meetings, bots or clusters, so that it can judge any recording.
"""
