"""How Chromium is started, and why each switch is there.

An ordinary, visible browser on a virtual screen that says openly that it is automated (``navigator.webdriver`` stays
true): no switch hides that, none weakens the sandbox or the certificate check, and none comes from outside.
"""

from typing import Final

from selenium.webdriver.chrome.options import Options

from meeting_buddy_bot.browser.chromium import BINARY

Size = tuple[int, int]
"""Width and height of the screen in pixels."""

_BLOCK: Final = 2

_SWITCHES: Final = (
    "--kiosk",  # the page alone, without tabs and tool bar: this is what gets recorded
    "--window-position=0,0",
    "--lang=en-US",  # texts in the tables are English
    "--autoplay-policy=no-user-gesture-required",  # sound plays although nobody clicked
    "--audio-buffer-size=480",  # 10 ms: in whole milliseconds the sink's clock is true (devices/sound.py)
    "--disable-background-networking",  # the meeting's site is all that a bot talks to
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--disable-backgrounding-occluded-windows",  # without a window manager Chromium does not know that it is seen
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--no-default-browser-check",
    "--no-pings",
    "--noerrdialogs",  # a native error box would be recorded
    "--hide-crash-restore-bubble",
    # MediaRouter looks for televisions by multicast; translation and hints call home and cover the page.
    "--disable-features=MediaRouter,DialMediaRouteProvider,Translate,OptimizationHints,GlobalMediaControls",
)


def chromium_options(size: Size) -> Options:
    """Options of a new session for a screen of ``size`` in pixels."""
    options = Options()
    options.binary_location = BINARY
    # The probe says when a page is there; waiting for `load` would hang on one slow picture.
    options.page_load_strategy = "none"
    # Dialogs are recorded and closed over CDP; WebDriver would close them first and lose the text.
    options.unhandled_prompt_behavior = "ignore"
    for switch in _SWITCHES:
        options.add_argument(switch)
    # One pixel more: without a window manager Chromium makes a window that equals the screen one pixel smaller.
    options.add_argument(f"--window-size={size[0] + 1},{size[1] + 1}")
    # The switch shows an information bar across the recording. Automation stays visible to the page without it:
    # `navigator.webdriver` is true because of the debugging port.
    options.add_experimental_option("excludeSwitches", ["enable-automation"])
    options.add_experimental_option("prefs", _preferences())
    return options


def _preferences() -> dict[str, object]:
    defaults = {
        "media_stream_mic": _BLOCK,  # the meeting's own origin may be granted more (Browser.grant)
        "media_stream_camera": _BLOCK,
        "notifications": _BLOCK,
        "geolocation": _BLOCK,
        "clipboard": _BLOCK,
        "automatic_downloads": _BLOCK,
        "local_fonts": _BLOCK,
    }
    return {
        "intl.accept_languages": "en-US,en",
        "profile.default_content_setting_values": defaults,
        "credentials_enable_service": False,  # offers to keep passwords, over the page
        "profile.password_manager_enabled": False,
        "autofill.profile_enabled": False,
        "translate.enabled": False,
        "download_restrictions": 3,  # none at all
        "safebrowsing.enabled": False,  # asks a service about each address, the meeting's link too
        "search.suggest_enabled": False,
        "alternate_error_pages.enabled": False,
    }
