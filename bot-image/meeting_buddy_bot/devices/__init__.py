"""The browser's virtual devices: an X display that the page is drawn on and a sound sink that it plays into."""
