"""Figures beside their baselines, in one run: ``make bench``."""
