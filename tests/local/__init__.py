"""This machine as a place to test on: packages, cluster, images, meetings, media analysis, demo and bench."""
