"""Tests on the whole local cluster: real nodes' parts, real containers, real network."""
