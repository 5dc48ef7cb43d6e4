"""What goes into a bundle: paths in it, and the files they are made of."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lifecycle import fetch
from lifecycle.bootstrap import digest_of
from lifecycle.layout import COLLECTION, REPOSITORY, SETTINGS
from lifecycle.outcome import BadConfiguration

# Of the repository; tests, docs and what makes bundles stay at home.
CODE = ("galaxy.yml", "LICENSE", "meta", "playbooks", "plugins", "roles", "lifecycle")
LEFT_OUT = ("playbooks/collections", "lifecycle/bundle", "lifecycle/wheels", "lifecycle/hooks")
LOCK = "artifacts.lock.yml"
LOCK_ENTRY = re.compile(r"^  (\S+):\n    url: (\S+)\n    sha256: ([0-9a-f]{64})$", re.MULTILINE)
# What makes a directory a repository for apt, and for dnf, with what makes it one.
INDEXES = ("Packages", "Packages.gz", "Packages.xz", "repodata/repomd.xml")
MAKE_INDEX = "run `apt-ftparchive packages . > Packages` (apt-utils, for apt) or `createrepo_c .` (for dnf) in it"
PLUGIN = re.compile(r"spank_pyxis-.+\.so\Z")

Files = dict[str, Path]


def code(root: Path = REPOSITORY) -> Files:
    """Return the collection's files: what is under version control, and nothing that lies about beside it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *CODE]
    try:
        listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadConfiguration("a bundle is made from a clone, and git ls-files failed: %s" % error) from None
    names = [name for name in listing.split("\0") if name and not name.startswith(LEFT_OUT)]
    return {
        str(COLLECTION / name): root / name
        for name in names
        if (root / name).is_file() and not (root / name).is_symlink()
    }


def site(directory: Path) -> Files:
    """Return a site's values; raises BadConfiguration for what no node could read."""
    if not directory.is_dir():
        raise BadConfiguration("%s is no site: give SITE=<name below inventories/>" % directory)
    files = {}
    for path in sorted([*directory.glob("group_vars/**/*"), directory / LOCK, directory / SETTINGS]):
        if not path.is_file():
            continue
        if path.read_bytes().startswith(b"$ANSIBLE_VAULT"):
            raise BadConfiguration(
                "%s is encrypted, and a node has no password: leave it out of the bundle's site" % path
            )
        files["site/%s" % path.relative_to(directory)] = path
    return files


def locked(directory: Path) -> dict[str, tuple[str, str]]:
    """Return (url, sha256) by file name from a site's lock, {} without one."""
    path = directory / LOCK
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {name: (url, sha256) for name, url, sha256 in LOCK_ENTRY.findall(text)}


def artifacts(directory: Path, mirror: Path | None, cache: Path) -> Files:
    """Return every file of the site's lock, from the mirror or the cache, else downloaded; each is verified."""
    files = {}
    for name, (url, sha256) in sorted(locked(directory).items()):
        found = [path / name for path in (mirror, cache) if path and (path / name).is_file()]
        path = next((item for item in found if digest_of(str(item)) == sha256), cache / name)
        if not path.is_file() or digest_of(str(path)) != sha256:
            cache.mkdir(parents=True, exist_ok=True)
            try:
                fetch.fetch([url], sha256, str(path))
            except fetch.FetchError as error:
                raise BadConfiguration("%s: %s; put it into ARTIFACTS=<directory>" % (name, error)) from None
        files["artifacts/%s" % name] = path
    return files


def plugins(directory: Path | None) -> Files:
    """Return built plugins, each with its checksum; raises BadConfiguration for one that is damaged."""
    files: Files = {}
    for path in sorted(directory.iterdir()) if directory else []:
        if not PLUGIN.match(path.name):
            continue
        beside = path.with_name(path.name + ".sha256")
        recorded = beside.read_text(encoding="ascii").split()[:1] if beside.is_file() else []
        if recorded != [digest_of(str(path))]:
            raise BadConfiguration("%s is damaged, or has no checksum beside it (%s)" % (path, beside.name))
        files["plugins/%s" % path.name] = path
        files["plugins/%s" % beside.name] = beside
    return files


def packages(directory: Path | None) -> Files:
    """Return a repository of the distribution's packages; raises BadConfiguration where no node could use it."""
    if not directory:
        return {}
    if not any((directory / name).is_file() for name in INDEXES):
        raise BadConfiguration(
            "%s is no repository, for it has none of %s: %s" % (directory, ", ".join(INDEXES), MAKE_INDEX)
        )
    return {
        "packages/%s" % path.relative_to(directory): path for path in sorted(directory.rglob("*")) if path.is_file()
    }
