"""The images that run on the cluster: built from ordinary Dockerfiles, pushed to the node's registry.

`build("bot")` returns what a pod spec's `image` says. The tag is the content hash of everything that goes in, so an
unchanged tree has nothing to do and a changed one never meets a stale image.
"""

from tests.local.images.building import ImageRef, build, publish
from tests.local.images.image_list import IMAGES
from tests.local.images.iteration_time import iteration_time

__all__ = ["IMAGES", "ImageRef", "build", "iteration_time", "publish"]
