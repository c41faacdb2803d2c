"""What the bot reports: the one report, the server that hands it out, and what is left of it when the bot has ended."""
