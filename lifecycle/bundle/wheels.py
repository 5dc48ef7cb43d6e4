"""The wheels for every Python and machine that a node may have, pinned with their checksums.

``wheels/python-<version>.txt`` is in pip's format; ``python -m lifecycle.bundle --lock-wheels`` writes the checksums.
Only wheels are taken: nothing is compiled, on whatever machine the bundle is made.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from lifecycle.bootstrap import digest_of
from lifecycle.outcome import BadConfiguration

PINS = Path(__file__).resolve().parents[1] / "wheels"
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
ARCHITECTURES = ("x86_64", "aarch64")
# The C libraries of the oldest supported distributions (glibc 2.34) accept all of these.
PLATFORMS = ("manylinux_2_28_%s", "manylinux_2_17_%s", "manylinux2014_%s")
PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")


def pins_of(python: str) -> Path:
    """Return the file with a Python's pins; raises BadConfiguration where it is not supported."""
    path = PINS / ("python-%s.txt" % python)
    if not path.is_file():
        raise BadConfiguration("there are no wheels for Python %s: supported are %s" % (python, ", ".join(PYTHONS)))
    return path


def download(python: str, architecture: str, cache: Path, requirements: Path | None = None) -> list[Path]:
    """Return the wheels of one kind, from the cache or from the package index that pip is set up for.

    pip itself compares the checksums, also those of files in the cache. Raises BadConfiguration with pip's words.
    """
    directory = cache / ("python-%s-%s" % (python, architecture))
    directory.mkdir(parents=True, exist_ok=True)
    version = "cp" + python.replace(".", "")
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    # Without their dependencies: pip would judge conditions on the Python it runs with.
    command += ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    command += [word for abi in (version, "abi3", "none") for word in ("--abi", abi)]
    command += [word for tag in PLATFORMS for word in ("--platform", tag % architecture)]
    command += ["--find-links", str(directory), "--dest", str(directory)]
    command += ["--requirement", str(requirements or pins_of(python))]
    if requirements or not is_complete(pins_of(python), directory):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join(line for line in done.stderr.splitlines() if line.startswith("ERROR"))
            raise BadConfiguration("wheels for Python %s on %s: %s" % (python, architecture, said or done.stderr))
    wanted = {order(match.group()) for match in PIN.finditer(pins_of(python).read_text(encoding="utf-8"))}
    found = {order("==".join(path.name.split("-")[:2])): path for path in directory.glob("*.whl")}
    missing = ", ".join(sorted(wanted - set(found)))
    if missing:
        raise BadConfiguration("wheels for Python %s on %s are missing: %s" % (python, architecture, missing))
    return [found[name] for name in sorted(wanted)]


def is_complete(pins: Path, directory: Path) -> bool:
    """Tell whether the cache has every pinned wheel whole, so that no package index need be asked."""
    text = pins.read_text(encoding="utf-8")
    found = {order("==".join(path.name.split("-")[:2])): path for path in directory.glob("*.whl")}
    wanted = [order(match.group()) for match in PIN.finditer(text)]
    return all(name in found and digest_of(str(found[name])) in text for name in wanted)


def normalized(name: str) -> str:
    """Return a project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock(python: str, cache: Path) -> None:
    """Write the checksums of a Python's pins for all machines."""
    path = pins_of(python)
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    pins = [match.group() for line in lines if (match := PIN.match(line))]
    bare = cache / ("bare-%s.txt" % python)
    cache.mkdir(parents=True, exist_ok=True)
    bare.write_text("\n".join(pins) + "\n", encoding="utf-8")
    checksums: dict[str, set[str]] = {pin: set() for pin in pins}
    for architecture in ARCHITECTURES:
        shutil.rmtree(cache / ("python-%s-%s" % (python, architecture)), ignore_errors=True)
        for pin, wheel in zip(sorted(pins, key=order), download(python, architecture, cache, bare)):
            checksums[pin].add(digest_of(str(wheel)))
    out = list(header)
    for pin in pins:
        out.append(pin + " \\")
        hashes = ["    --hash=sha256:%s" % digest for digest in sorted(checksums[pin])]
        out.append(" \\\n".join(hashes))
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def order(pin: str) -> str:
    """Return how a pin and its wheel are sorted and compared."""
    name, _equals, release = pin.partition("==")
    return "%s-%s" % (normalized(name), release)
