"""Clients that are generated from the HTTP API's OpenAPI document, in Python and TypeScript."""
