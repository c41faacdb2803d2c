"""The bot's process: it loads its assignment, runs the components, ends them in order and leaves the outcome behind."""
