"""What apt's files say, and who names an archive beside a role."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.filter.foreign_archives import foreign_archives
from ansible_collections.slipway.containers.plugins.module_utils import apt_sources as tools

# As NVIDIA's guide and Docker's have them written.
NVIDIAS = """\
deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg] \
https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /
#deb [signed-by=/x.gpg] https://nvidia.github.io/libnvidia-container/experimental/deb/$(ARCH) /
"""
DOCKERS = """\
# Docker's
Types: deb deb-src
URIs: https://download.docker.com/linux/debian/
Suites: trixie
Components: stable test
Signed-By: /etc/apt/keyrings/docker.asc

Types: deb
Enabled: no
URIs: https://off.example.org
Suites: trixie
Components: main

Types: deb
URIs: https://one.example.org https://two.example.org
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit2ioBEADhWpZ8/wvZ6hUTiXOwQHXMAlaFHcPH9hAtr4F1y2+OYdbtMuth
# a comment
 -----END PGP PUBLIC KEY BLOCK-----
"""
NVIDIA_LIST, DOCKER_SOURCES = "/etc/apt/sources.list.d/nvidia.list", "/etc/apt/sources.list.d/docker.sources"
FOUND = tools.archives({NVIDIA_LIST: NVIDIAS, DOCKER_SOURCES: DOCKERS}, "x86_64")


def test_a_list() -> None:
    assert FOUND[0] == {
        "uri": "https://nvidia.github.io/libnvidia-container/stable/deb/amd64/",
        "suite": "/",
        "component": "",
        "keyring": "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg",
        "file": NVIDIA_LIST,
    }
    assert tools.archives({NVIDIA_LIST: NVIDIAS}, "aarch64")[0]["uri"].endswith("/arm64/")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://x/debian trixie main contrib # ours", [("http://x/debian/", "trixie", "main", ""),
                                                            ("http://x/debian/", "trixie", "contrib", "")]),
        ("deb [arch=amd64 signed-by=/k.gpg] http://x y z", [("http://x/", "y", "z", "/k.gpg")]),
        ("deb [signed-by=ABCDEF] http://x y z", [("http://x/", "y", "z", "")]),
        ("deb-src http://x y z", []),
        ("deb", []),
        ("# deb http://x y z", []),
        ("<html>", []),
    ],
)  # fmt: skip
def test_lines(line: str, expected: list[tuple[str, ...]]) -> None:
    found = tools.archives({"/a.list": line}, "x86_64")
    assert [tuple(archive[key] for key in ("uri", "suite", "component", "keyring")) for archive in found] == expected


def test_stanzas() -> None:
    found = [(archive["uri"], archive["component"], archive["keyring"]) for archive in FOUND[1:]]
    assert found == [
        ("https://download.docker.com/linux/debian/", "stable", "/etc/apt/keyrings/docker.asc"),
        ("https://download.docker.com/linux/debian/", "test", "/etc/apt/keyrings/docker.asc"),
        ("https://one.example.org/", "main", ""),
        ("https://two.example.org/", "main", ""),
    ]


def test_together() -> None:
    assert tools.together(FOUND[:1], FOUND) == FOUND
    assert tools.together(FOUND, [{**FOUND[0], "keyring": "/other"}]) == FOUND


OURS = {"file": "/etc/apt/sources.list.d/slipway-x.sources", "keyring": "/etc/apt/keyrings/slipway-x.asc"}
NVIDIA_URI = "https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH)"


@pytest.mark.parametrize(
    ("uri", "suite", "expected"),
    [
        (NVIDIA_URI, "/", [NVIDIA_LIST]),
        ("https://mirror.example.org/$(ARCH)", "/", []),
        ("https://download.docker.com/linux/debian", "trixie", [DOCKER_SOURCES]),
        ("https://download.docker.com/linux/debian", "bookworm", []),
    ],
)
def test_who_names_an_archive(uri: str, suite: str, expected: list[str]) -> None:
    assert foreign_archives(FOUND, uri, suite, "amd64", **OURS) == expected


def test_our_own_entry_and_one_with_our_key_are_in_nobodys_way() -> None:
    own = {**FOUND[0], "file": OURS["file"]}
    same_key = {**FOUND[0], "keyring": OURS["keyring"]}
    assert foreign_archives([own, same_key], NVIDIA_URI, "/", "amd64", **OURS) == []
