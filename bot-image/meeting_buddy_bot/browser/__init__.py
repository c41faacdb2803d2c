"""Chromium in its own container, seen from the bot: started, spoken to and given up here.

``browser`` (facade) → ``driver`` (WebDriver, for clicks and keys) and ``page`` (raw CDP, for everything that is read).
``container`` is the other side: the command that runs in container ``browser``.
"""
