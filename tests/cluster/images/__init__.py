"""The images that run on the cluster: built from ordinary Dockerfiles, pushed to the node's registry.

`build("bot")` returns what a pod spec's `image` says. The tag is the content hash of everything that goes in, so an
unchanged tree has nothing to do and a changed one never meets a stale image.
"""

from tests.cluster.images.building import ImageRef, build, publish
from tests.cluster.images.catalogue import CATALOGUE
from tests.cluster.images.turnround import turn_round

__all__ = ["CATALOGUE", "ImageRef", "build", "publish", "turn_round"]
