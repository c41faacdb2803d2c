"""The HTTP API: a stateless process that starts and follows sessions with its callers' own Kubernetes tokens.

It has no rights of its own and stores nothing. Only ``kube`` speaks to Kubernetes; kopf is never imported.
"""
