"""Meeting Buddy's control plane.

Storeys, each importing only what stands before it: ``contract`` → ``resource`` → ``domain``, ``manifests`` →
``kube`` → ``control`` → ``shell``. The bot imports ``contract`` and nothing else of this package.
"""

__version__ = "0.1.0"
