"""The container images jobs run in: built without an image registry, served by the head's own."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import container_image, image_cache, node_image
from .errors import CommandError, SandboxError
from .node_image import NodeSource
from .podman import Podman

PORT = 5000
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SIZE_LIMIT = 60_000_000
RECIPE_VERSION = 3


def other_distribution(distribution: str) -> str:
    return "bookworm" if distribution == "trixie" else "trixie"


def references(distribution: str) -> dict[str, str]:
    """The images by short name, as jobs on this sandbox name them."""
    other = other_distribution(distribution)
    return {
        "busybox": f"head:{PORT}/slipway/busybox:1",
        "debian": f"head:{PORT}/slipway/debian:{other}",
    }


@dataclass(frozen=True)
class Builder:
    podman: Podman
    cache: Path
    distribution: str
    options: tuple[str, ...]

    def bootstrap(self, directory: Path, variant: str, package: str) -> Path:
        """A root file system of a distribution that the nodes are not."""
        output = directory / f"{variant}.tar"
        found = image_cache.machine_sources(self.distribution)
        image_cache.write_keys(directory, found)
        self.podman.runner.run(
            [
                "mmdebstrap",
                "--mode=root",
                "--format=tar",
                f"--variant={variant}",
                f"--include={package}",
                # An ordinary user's import cannot make device nodes; real images hold none.
                "--skip=output/dev",
                *(f"--aptopt={option}" for option in self.options),
                *(f"--dpkgopt=path-exclude={path}" for path in node_image.EXCLUDED_PATHS),
                self.distribution,
                str(output),
                *node_image.mirror_lines(found, directory),
            ],
            timeout=1800,
        )
        return output

    def busybox(self, directory: Path) -> list[Path]:
        archive = self.bootstrap(directory, "extract", "busybox-static")
        program = directory / "busybox"
        with tarfile.open(archive) as content:
            member = next(m for m in content if m.name.endswith("bin/busybox"))
            stream = content.extractfile(member)
            program.write_bytes(stream.read() if stream else b"")
        program.chmod(0o755)
        applets = self.podman.runner.run([str(program), "--list-full"]).stdout.split()
        paths = []
        for number, data in enumerate(container_image.busybox_layers(program.read_bytes(), applets)):
            paths.append(directory / f"layer{number}.tar")
            paths[-1].write_bytes(data)
        return paths

    def debian(self, directory: Path) -> list[Path]:
        # Real images have the empty directory; without it enroot makes one that nobody may read, and cannot export.
        devices = directory / "dev.tar"
        devices.write_bytes(container_image.layer([container_image.Entry("dev/", mode=0o755)]))
        return [self.bootstrap(directory, "essential", "python3"), devices]

    def build(self, name: str, announce: Callable[[str], None]) -> Path:
        """The image as a directory of compressed blobs: pushing it later costs next to nothing."""
        target = self.cache / f"container-{name}-{self.distribution}-{self.key(name)}"
        if target.is_dir():
            return target
        announce(f"building {name}")
        recipe = {"busybox": self.busybox, "debian": self.debian}[name]
        with tempfile.TemporaryDirectory(dir=self.cache, prefix="build-") as scratch:
            directory = Path(scratch)
            archive, blobs = directory / "image.tar", directory / "blobs"
            architecture = {"x86_64": "amd64", "aarch64": "arm64"}
            machine = self.podman.runner.run(["uname", "-m"]).stdout.strip()
            container_image.write_docker_archive(archive, recipe(directory), architecture.get(machine, machine), name)
            self.podman.runner.run(
                ["skopeo", "copy", "--quiet", "--dest-compress", "--format=v2s2"]
                + [f"docker-archive:{archive}", f"dir:{blobs}"]
            )
            self.check_size(name, blobs)
            blobs.replace(target)
        return target

    def key(self, name: str) -> str:
        source = (
            Path(container_image.__file__).read_bytes()
            + repr([RECIPE_VERSION, name, [vars(s) for s in self.sources()], self.options]).encode()
        )
        return hashlib.sha256(source).hexdigest()[:12]

    def sources(self) -> tuple[NodeSource, ...]:
        return image_cache.machine_sources(self.distribution)

    @staticmethod
    def check_size(name: str, blobs: Path) -> None:
        size = sum(path.stat().st_size for path in blobs.iterdir())
        if size > SIZE_LIMIT:
            raise SandboxError(
                f"the image {name} has {size // 1_000_000} MB, more than the "
                f"{SIZE_LIMIT // 1_000_000} MB a test image may have: include fewer packages"
            )


def served(address: str, reference: str) -> bool:
    """Whether the registry has it. Asked directly: a proxy could not reach a node."""
    name, _, tag = reference.partition("/")[2].rpartition(":")
    request = urllib.request.Request(f"http://{address}:{PORT}/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return "config" in json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise SandboxError(f"the registry answers {error} for {reference}") from error
    except OSError as error:
        raise SandboxError(f"the registry at {address}:{PORT} cannot be reached: {error}") from error


def push(podman: Podman, blobs: Path, address: str, reference: str) -> None:
    destination = f"docker://{address}:{PORT}/{reference.partition('/')[2]}"
    try:
        podman.runner.run(
            ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"dir:{blobs}", destination],
            environment={"NO_PROXY": address, "no_proxy": address},
        )
    except CommandError as error:
        raise SandboxError(f"{reference} could not be pushed\n{error}") from error
