"""The grammar of image URIs, stack-facts 1.4."""

from __future__ import annotations

import pytest
from enroot_standin.errors import EnrootError
from enroot_standin.reference import DEFAULT_REGISTRY, Reference, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("ubuntu", Reference(DEFAULT_REGISTRY, "library/ubuntu", "latest")),
        ("ubuntu:24.04", Reference(DEFAULT_REGISTRY, "library/ubuntu", "24.04")),
        ("nvidia/cuda:12", Reference(DEFAULT_REGISTRY, "nvidia/cuda", "12")),
        ("nvcr.io#nvidia/cuda:12", Reference("nvcr.io", "nvidia/cuda", "12")),
        ("nvcr.io/nvidia/cuda:12", Reference("nvcr.io", "nvidia/cuda", "12")),
        ("head:5000/slipway/busybox:1", Reference("head:5000", "slipway/busybox", "1")),
        ("head:5000#slipway/busybox", Reference("head:5000", "slipway/busybox", "latest")),
        ("head:5000#busybox:1", Reference("head:5000", "busybox", "1")),
        ("$oauthtoken@nvcr.io#nvidia/x:1", Reference("nvcr.io", "nvidia/x", "1", user="$oauthtoken")),
        (f"head:5000/a/b@{DIGEST}", Reference("head:5000", "a/b", "latest", DIGEST)),
        (f"head:5000/a/b:1@{DIGEST}", Reference("head:5000", "a/b", "1", DIGEST)),
        (f"me@ubuntu@{DIGEST}", Reference(DEFAULT_REGISTRY, "library/ubuntu", "latest", DIGEST, "me")),
    ],
)
def test_parse(uri: str, expected: Reference) -> None:
    assert parse(f"docker://{uri}") == expected


@pytest.mark.parametrize("uri", ["docker://", "docker://UPPER/case", "docker://a:b:c", "docker://a b", "oci://a"])
def test_what_is_no_image_is_refused(uri: str) -> None:
    with pytest.raises(EnrootError, match=f"Invalid image reference: {uri}"):
        parse(uri)


def test_a_digest_makes_the_tag_meaningless() -> None:
    assert parse(f"docker://a:1@{DIGEST}").version == DIGEST


def test_default_file_name() -> None:
    assert parse("docker://head:5000/slipway/busybox:1").filename == "slipway+busybox+1.sqsh"
    assert parse("docker://ubuntu").filename == "ubuntu+latest.sqsh"
