"""Meetings on this machine, by software that others wrote, for the bot to join."""
