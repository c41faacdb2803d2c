"""Tests of the bot in real Chromium, without a cluster."""
