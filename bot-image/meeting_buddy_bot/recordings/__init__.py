"""The recordings reader: hands out what the sessions of one namespace left on its volume, over HTTP, to the HTTP API.

One process beside each shared claim, which it has mounted read-only. See the README beside this file.
"""
