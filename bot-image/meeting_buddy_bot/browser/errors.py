"""What can go wrong with a browser, as the session distinguishes it: dead, silent, or unable to reach the site.

Each ends in a typed way: :class:`SandboxRefusedError` ends the session, :class:`NavigationError` means that the page
could not be loaded, and any other that nobody nearer answered means that a new browser is needed.
"""


class BrowserError(Exception):
    """Base of these errors; messages are free of links and page texts."""


class BrowserGoneError(BrowserError):
    """Chromium, its tab or its driver is gone, or hangs past use; only a new browser helps."""


class PageTimeoutError(BrowserError):
    """The page did not answer in time; it may yet."""


class CdpError(BrowserError):
    """The browser answered a request with an error: a context that is gone, a target that was closed."""


class FrameGoneError(CdpError):
    """What was asked of a tab or frame is never answered: it is closed, removed, or its process has crashed."""


class ScriptError(CdpError):
    """A script of the bot's failed in a document; the message has what Chromium said of it."""


class SandboxRefusedError(BrowserError):
    """Chromium may not make its sandbox on this node; no restart helps. The message has cause and remedy."""

    def __init__(self, chromium: str) -> None:
        """``chromium``: its own words."""
        words = "".join(letter for letter in chromium if letter.isprintable())[:200]
        super().__init__(
            f"Chromium cannot make its sandbox ({words}): the node forbids user namespaces to container browser; "
            "install the bot class's seccomp profile on the node, raise its sysctl user.max_user_namespaces or set "
            "kernel.unprivileged_userns_clone to 1"
        )


class NavigationError(BrowserError):
    """The first page could not be loaded; ``net`` is Chromium's name of the fault (``ERR_NAME_NOT_RESOLVED``)."""

    def __init__(self, net: str) -> None:
        super().__init__(f"the page could not be loaded: {net}")
        self.net = net


class StepFailedError(BrowserError):
    """A click or a key could not be delivered: nothing matches, or something lies over it."""
