"""Image URIs: docker://[USER@][REGISTRY#]IMAGE[:TAG][@sha256:...], and REGISTRY/IMAGE since 4.0."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import EnrootError

DEFAULT_REGISTRY = "registry-1.docker.io"

_URI = re.compile(
    r"docker://(?:(?P<user>[^#@]+)@(?!sha256:))?"
    r"(?:(?P<registry>[^#]+)#)?"
    r"(?P<image>[a-z0-9._:/-]+?)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_IMAGE = re.compile(r"[a-z0-9._/-]+")


@dataclass(frozen=True)
class Reference:
    """Where an image is; user is None where the credentials file decides."""

    registry: str
    image: str
    tag: str
    digest: str | None = None
    user: str | None = None

    @property
    def version(self) -> str:
        """What a registry is asked for: a digest makes the tag meaningless."""
        return self.digest or self.tag

    @property
    def filename(self) -> str:
        return f"{self.image.removeprefix('library/').replace('/', '+')}+{self.tag}.sqsh"


def parse(uri: str) -> Reference:
    """Takes a URI apart, or says that it is none."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise EnrootError(f"Invalid image reference: {uri}")
    registry, image = match["registry"], match["image"]
    first, slash, rest = image.partition("/")
    if registry is None and slash and ("." in first or ":" in first):
        registry, image = first, rest
    registry = registry or DEFAULT_REGISTRY
    if not _IMAGE.fullmatch(image):
        raise EnrootError(f"Invalid image reference: {uri}")
    if registry == DEFAULT_REGISTRY and "/" not in image:
        image = f"library/{image}"
    return Reference(registry, image, match["tag"] or "latest", match["digest"], match["user"])
