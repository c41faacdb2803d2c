"""The finisher: makes verified files of what a bot left that was in the meeting and did not get that far.

A process of its own (``meeting-buddy-bot finish``), after the bot's end, with the session's folder and nothing else of
it: no display, no sound, no browser, no link.
"""
