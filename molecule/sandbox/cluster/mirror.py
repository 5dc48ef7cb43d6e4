"""What the sandbox installs: upstream's files where they can be had, stand-ins where not."""

from __future__ import annotations

import platform
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import gpu_tools
from .errors import SandboxError
from .process import Runner
from .settings import Settings

STANDIN_SUFFIX = "~standin1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
UPSTREAM = "https://github.com/NVIDIA/enroot/releases/download/v{version}/enroot_{version}-1_{architecture}.deb"
PROBE_SECONDS = 5
RELEASES = {"trixie": "13", "bookworm": "12", "rocky": "9"}


@dataclass(frozen=True)
class Source:
    """Where one component comes from; ``version`` is what the inventory is told to install."""

    component: str
    version: str
    standin: bool


def default_version(repository: Path, component: str) -> str:
    """Return the version that the role installs unless told otherwise."""
    text = (repository / "roles" / component / "defaults" / "main.yml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)[f"{component}_version"])


def filenames(component: str, version: str, machine: str, family: str) -> list[str]:
    """Return the names of a component's artifacts, as its role's catalogue has them."""
    if component == "pyxis":
        return [f"pyxis-{version}.tar.gz"]
    form = {
        "Debian": f"{{}}_{version}-1_{ARCHITECTURES[machine]}.deb",
        "RedHat": f"{{}}-{version}-1.el8.{machine}.rpm",
    }[family]
    return [form.format(package) for package in ("enroot", "enroot+caps")]


def apptainer_state(mirror: Path | None, version: str, machine: str, distribution: str) -> str:
    """Return the state of Apptainer: Debian 12 has no package, so without upstream's file nothing can be installed.

    The nodes under the name of Rocky have no repository that holds it.

    ``mirror`` is None where upstream itself is asked.
    """
    name = f"apptainer_{version}_{ARCHITECTURES[machine]}.deb"
    lacking = distribution == "bookworm" and mirror is not None and not (mirror / name).is_file()
    return "unmanaged" if lacking or distribution == "rocky" else "present"


def reachable(url: str) -> bool:
    """Whether upstream answers; a closed network does not."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 -- the address is this file's own
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def choose(
    versions: Mapping[str, str],
    given: Path | None,
    machine: str,
    family: str,
    online: Callable[[], bool],
    refused: bool,
) -> tuple[list[Source], bool]:
    """Return (a source for each component, whether upstream itself is asked).

    Raises SandboxError when stand-ins would be needed and are refused.
    """
    if given is None and online():
        return [Source(component, version, False) for component, version in versions.items()], True
    sources, missing = [], []
    for component, version in versions.items():
        names = filenames(component, version, machine, family)
        lacking = [name for name in names if given is None or not (given / name).is_file()]
        missing += lacking
        standin = bool(lacking)
        sources.append(Source(component, version + STANDIN_SUFFIX if standin else version, standin))
    if missing and refused:
        place = f"SANDBOX_ARTIFACT_MIRROR={given} does not hold" if given else "upstream does not answer, so this lacks"
        raise SandboxError(
            f"SANDBOX_STANDINS=never, and {place} {', '.join(missing)}: put the files there, or allow stand-ins"
        )
    return sources, False


def fill(
    runner: Runner, settings: Settings, sources: list[Source], given: Path | None, machine: str, family: str
) -> Path:
    """Make .sandbox/mirror hold exactly what is to be installed; returns it."""
    mirror = settings.state / "mirror"
    shutil.rmtree(mirror, ignore_errors=True)
    mirror.mkdir(parents=True)
    for source in sources:
        if source.standin:
            build = settings.repository / "tests" / "standins" / "build.py"
            command = ["python3", str(build), "--output", str(mirror), "--family", family]
            runner.run([*command, source.component])
        elif given is not None:
            for name in filenames(source.component, source.version, machine, family):
                shutil.copy2(given / name, mirror / name)
    # There is no stand-in for it: Debian 13 has a package.
    for path in given.glob("apptainer*_*.deb") if given is not None else ():
        shutil.copy2(path, mirror / path.name)
    return mirror


def prepare(
    runner: Runner, settings: Settings, distribution: str, environment: Mapping[str, str]
) -> tuple[list[Source], dict[str, Any]]:
    """Return the sources, and the inventory variables that follow from them."""
    family = "RedHat" if distribution == "rocky" else "Debian"
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxError(f"enroot is not released for {machine}: use {' or '.join(ARCHITECTURES)}")
    place = environment.get("SANDBOX_ARTIFACT_MIRROR")
    given = Path(place).resolve() if place else None
    if given is not None and not given.is_dir():
        raise SandboxError(f"SANDBOX_ARTIFACT_MIRROR={given} is not a directory")
    versions = {name: default_version(settings.repository, name) for name in ("enroot", "pyxis")}
    url = UPSTREAM.format(version=versions["enroot"], architecture=ARCHITECTURES[machine])
    refused = environment.get("SANDBOX_STANDINS", "") == "never"
    sources, upstream = choose(versions, given, machine, family, lambda: reachable(url), refused)
    variables: dict[str, Any] = {f"{source.component}_version": source.version for source in sources}
    variables["artifacts_platforms"] = [
        {
            "os_family": family,
            "architecture": machine,
            "distribution": "Rocky" if distribution == "rocky" else "Debian",
            "distribution_version": RELEASES[distribution],
        }
    ]
    filled = None if upstream else fill(runner, settings, sources, given, machine, family)
    variables["artifact_mirror"] = str(filled or "")
    apptainer = default_version(settings.repository, "apptainer")
    variables["apptainer_state"] = apptainer_state(filled, apptainer, machine, distribution)
    if distribution == "rocky":
        # Nor does one of their repositories hold Docker.
        variables["docker_state"] = "unmanaged"
    # The stand-in for the toolkit is made for apt.
    if refused or distribution == "rocky":
        return sources, {**variables, **gpu_tools.unmanaged()}
    version = default_version(settings.repository, gpu_tools.COMPONENT) + STANDIN_SUFFIX
    sources.append(Source(gpu_tools.COMPONENT, version, True))
    return sources, {**variables, **gpu_tools.prepare(runner, settings, version)}
