"""A real single-node Kubernetes on this machine, out of pinned Go modules and Debian packages.

`python -m tests.local.cluster up | down | status | images`. The components are in `components/`, one module each;
`flow` is the list of them; `images` builds and pushes what runs on it.
"""
