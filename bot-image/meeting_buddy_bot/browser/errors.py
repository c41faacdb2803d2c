"""What can go wrong with a browser, as the session distinguishes it: dead, silent, or unable to reach the site."""


class BrowserError(Exception):
    """Base of this room's errors; messages are free of links and page texts."""


class BrowserGoneError(BrowserError):
    """Chromium, its tab or its driver is gone, or hangs past use; only a new browser helps."""


class PageTimeoutError(BrowserError):
    """The page did not answer in time; it may yet."""


class NavigationError(BrowserError):
    """The first page could not be loaded; ``net`` is Chromium's name of the fault (``ERR_NAME_NOT_RESOLVED``)."""

    def __init__(self, net: str) -> None:
        super().__init__(f"the page could not be loaded: {net}")
        self.net = net


class StepFailedError(BrowserError):
    """A click or a key could not be delivered: nothing matches, or something lies over it."""
