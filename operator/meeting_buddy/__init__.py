"""Meeting Buddy's control plane.

Layers, each importing only what stands before it: ``contract`` → ``resource`` → ``domain``, ``manifests`` →
``kube`` → ``controller`` → ``app``. The bot imports ``contract`` and nothing else of this package.
"""

__version__ = "0.1.0"
