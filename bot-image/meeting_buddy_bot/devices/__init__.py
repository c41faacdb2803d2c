"""What the bot has instead of a desk: a display for the page to draw on and a sink for it to play into."""
