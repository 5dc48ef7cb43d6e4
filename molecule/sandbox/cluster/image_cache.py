"""Builds node images, and keeps them between runs."""

from __future__ import annotations

import fcntl
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import apt_sources, host, node_image
from .errors import CommandError
from .node_image import NodeSource, Recipe
from .podman import Podman
from .settings import SUITES

LABEL = "slipway.sandbox.image"
REPOSITORY = "localhost/slipway-sandbox"
# What of this machine's apt configuration a mirror may need to be usable at all.
APT_SETTINGS = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::Check-Valid-Until")


def parse_apt_settings(text: str) -> tuple[str, ...]:
    """From `apt-config shell`: A0='value' for each setting that has one."""
    found = dict(re.findall(r"^A(\d+)='([^']*)'$", text, flags=re.MULTILINE))
    options = (f'{name} "{found[str(i)]}"' for i, name in enumerate(APT_SETTINGS) if str(i) in found)
    return ('Acquire::Languages "none"', *options)


def machine_sources(suite: str) -> tuple[NodeSource, ...]:
    mirror = apt_sources.choose(apt_sources.read_machine(), host.os_release())
    return node_image.node_sources(mirror, suite)


def apt_options(podman: Podman) -> tuple[str, ...]:
    if host.os_release().get("ID") not in {"debian", "ubuntu"}:
        return parse_apt_settings("")
    names = [part for i, name in enumerate(APT_SETTINGS) for part in (f"A{i}", name)]
    return parse_apt_settings(podman.runner.run(["apt-config", "shell", *names]).stdout)


def node_recipe(podman: Podman, distribution: str) -> Recipe:
    found = machine_sources(SUITES[distribution])
    return Recipe(
        distribution=distribution,
        packages=node_image.packages(distribution),
        sources=found,
        apt_options=apt_options(podman),
        overlay=node_image.overlay(node_image.directories(distribution), node_image.source_files(found)),
    )


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Two sandboxes that start together must not build the same image twice."""
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (cache / "lock").open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def write_keys(directory: Path, found: tuple[NodeSource, ...]) -> None:
    for source in found:
        if source.key:
            (directory / Path(source.keyring).name).write_bytes(source.key)


def build_archive(podman: Podman, recipe: Recipe, archive: Path) -> None:
    """The name appears only when the file is whole, so an interrupted build is never used."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="build-") as name:
        directory = Path(name)
        (directory / node_image.OVERLAY).write_bytes(recipe.overlay)
        write_keys(directory, recipe.sources)
        partial = directory / "image.tar"
        command = node_image.build_command(recipe, directory, partial)
        podman.runner.run(command, timeout=1800)
        partial.replace(archive)


def derive(podman: Podman, recipe: Recipe, base: str, role: str, tag: str) -> None:
    container = f"slipway-sandbox-build-{role}-{recipe.key}"
    podman("rm", "--force", "--ignore", container)
    script = node_image.strip_script(role, recipe.distribution)
    podman("run", f"--name={container}", "--network=none", base, "sh", "-ec", script)
    change = f"--change=LABEL {LABEL}={recipe.distribution}"
    podman("commit", "--quiet", "--format=docker", change, container, tag)
    podman("rm", container)


def exists(podman: Podman, tag: str) -> bool:
    return podman("image", "exists", tag, accept=(0, 1)).code == 0


def ensure(podman: Podman, recipe: Recipe, cache: Path, announce: Callable[[str], None]) -> tuple[dict[str, str], bool]:
    """The image of each role, and whether all of them were at hand."""
    tags = {role: f"{REPOSITORY}/{role}:{recipe.key}" for role in node_image.UNWANTED}
    with locked(cache):
        if all(exists(podman, tag) for tag in tags.values()):
            return tags, True
        archive = cache / f"node-{recipe.distribution}-{recipe.key}.tar"
        if not archive.is_file():
            announce("building it, which takes about a minute")
            build_archive(podman, recipe, archive)
        base = f"{REPOSITORY}/base:{recipe.key}"
        change = f"--change=LABEL {LABEL}={recipe.distribution}"
        podman("import", "--quiet", change, str(archive), base)
        for role, tag in tags.items():
            derive(podman, recipe, base, role, tag)
        drop_stale(podman, recipe, cache)
    return tags, False


def drop_stale(podman: Podman, recipe: Recipe, cache: Path) -> None:
    """Images of an older recipe; the ones that some sandbox still runs on stay."""
    for old in cache.glob(f"node-{recipe.distribution}-*.tar"):
        if recipe.key not in old.name:
            old.unlink()
    remove_images(podman, f"{LABEL}={recipe.distribution}", keep=recipe.key)


def remove_images(podman: Podman, label: str, keep: str = "") -> list[str]:
    """Remove by label, children before the base they share; return what is still in use."""
    listed = podman.query("images", f"--filter=label={label}")
    names = {name for image in listed for name in image.get("Names") or []}
    stays = []
    for name in sorted(names, key=lambda name: "/base:" in name):
        if keep and name.endswith(f":{keep}"):
            continue
        try:
            podman("rmi", name)
        except CommandError:
            stays.append(name)
    return stays
