"""Builders, fakes and corpora that several kinds of tests share."""
