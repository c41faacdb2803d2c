"""Meeting Buddy's control plane.

Layers, each importing only what stands before it: ``contract`` → ``resource`` → ``domain``, ``manifests`` →
``kube`` → ``controller`` → ``app``; beside ``app``, on ``kube``, ``resource`` and ``contract``, stands ``http_api``.
``process`` stands below both. The bot imports ``contract`` and nothing else of this package.
"""

__version__ = "0.1.0"
