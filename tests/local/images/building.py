"""Building an image and bringing it to where it is pulled from."""

from __future__ import annotations

import http.client
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.local.clone import REPOSITORY
from tests.local.cluster.paths import REGISTRY, REGISTRY_PORT
from tests.local.images import base, buildah
from tests.local.images.image_list import IMAGES, Image
from tests.local.machine import cache
from tests.local.machine.lock import exclusive


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image that can be pulled: `str()` of it is what a pod spec or the chart's values say."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


def build(name: str) -> ImageRef:
    """Build image `name` of `IMAGES` and push it to the node's registry, unless it is there already.

    The registry has to run (`tests.local.cluster.flow.up`).  Raises `KeyError` for an unknown name,
    `CommandFailedError` when a step of the Dockerfile fails.
    """
    return build_image(IMAGES[name])


def build_image(image: Image) -> ImageRef:
    """The same for an image that need not be one of `IMAGES`."""
    ref = ImageRef(REGISTRY, image.repository, image.content_hash())
    if is_pushed(ref):
        return ref
    with exclusive(cache.root() / "buildah.lock", "another image build"):
        ref = _built(image, REGISTRY)
        buildah.push(str(ref), plain_http=True)
    return ref


def publish(name: str, registry: str, *, push: bool, model: Path | None = None, tag: str | None = None) -> ImageRef:
    """Build image `name` for a registry of the user's own, tagged `tag` or with this tree's version; push it if asked.

    `model` is the folder of another speech model than the one that the local cluster's bots use.
    """
    image = IMAGES[name] if model is None else IMAGES[name].with_model(model)
    with exclusive(cache.root() / "buildah.lock", "another image build"):
        base.ensure()
        buildah.clear_working_containers()
        ref = ImageRef(registry.rstrip("/"), image.repository, tag or _version())
        buildah.bud(image.context, image.path, str(ref), image.contexts)
        if push:
            buildah.push(str(ref), plain_http=registry.startswith(("localhost:", "127.0.0.1:")))
    return ref


def is_pushed(ref: ImageRef) -> bool:
    """True when the node's registry has this very image; raises `OSError` when the registry does not run."""
    connection = http.client.HTTPConnection("127.0.0.1", REGISTRY_PORT, timeout=5)
    accept = "application/vnd.oci.image.manifest.v1+json"
    try:
        connection.request("HEAD", f"/v2/{ref.repository}/manifests/{ref.tag}", headers={"Accept": accept})
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _built(image: Image, registry: str) -> ImageRef:
    """Build until the tree stood still meanwhile: the tag must name what is inside."""
    base.ensure()
    buildah.clear_working_containers()
    while True:
        ref = ImageRef(registry, image.repository, image.content_hash())
        buildah.bud(image.context, image.path, str(ref), image.contexts)
        if image.content_hash() == ref.tag:
            return ref


def _version() -> str:
    with (REPOSITORY / "pyproject.toml").open("rb") as stream:
        return str(tomllib.load(stream)["project"]["version"])
