"""The only package that speaks HTTP to Kubernetes, and the only one that imports its client library."""
