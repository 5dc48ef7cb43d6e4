"""``python -m lifecycle.bundle``: make a bundle and the scripts that start it; ``make bundle`` calls it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from lifecycle.bootstrap import digest_of
from lifecycle.layout import REPOSITORY
from lifecycle.outcome import BadConfiguration

from . import archive, contents, wheels

HOOKS = REPOSITORY / "lifecycle" / "hooks"
CACHE = REPOSITORY / ".cache" / "bundle"
# Copied beside the bundle for HyperPod, which hands a whole prefix to a node.
PREFIX = ("on_create.sh", "on_init_complete.sh", "start.sh")
ALONE = ("bootstrap.py", "fetch.py")
MARK = "@%s@"


def commit_time(root: Path) -> int:
    """Return when the code was committed (seconds since 1970): the same commit makes the same bundle."""
    command = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def single_script(digest: str, url: str) -> str:
    """Return the one file that fetches and verifies a bundle, for platforms that hand over one file."""
    text = (HOOKS / "slipway.sh.in").read_text(encoding="utf-8")
    parts = {"SHA256": digest, "URL": url}
    for name in ALONE:
        parts[name] = (REPOSITORY / "lifecycle" / name).read_text(encoding="utf-8").rstrip("\n")
    for name, value in parts.items():
        text = text.replace(MARK % name, value)
    return text


def make(options: argparse.Namespace) -> Path:
    """Make the bundle and return its directory; raises BadConfiguration."""
    site = Path(options.site)
    files = {**contents.code(), **contents.site(site)}
    if options.artifacts_included:
        files.update(contents.artifacts(site, options.artifacts, CACHE / "artifacts"))
    files.update(contents.plugins(options.plugins))
    files.update(contents.packages(options.packages))
    by_kind: dict[str, list[str]] = {}
    for python in options.python:
        for machine in options.architecture:
            found = wheels.download(python, machine, CACHE / "wheels")
            by_kind["%s/%s" % (python, machine)] = [path.name for path in found]
            files.update({"wheels/%s" % path.name: path for path in found})
    version = str(yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    described = archive.manifest(files, by_kind, version, commit_time(REPOSITORY))
    bundle = archive.write(options.output / ".new", files, described)
    digest = digest_of(str(bundle))
    directory: Path = options.output / ("slipway-%s" % digest[:16])
    shutil.rmtree(directory, ignore_errors=True)
    bundle.parent.rename(directory)
    for name in PREFIX:
        shutil.copyfile(HOOKS / name, directory / name)
        (directory / name).chmod(0o755)
    for name in ALONE:
        shutil.copyfile(REPOSITORY / "lifecycle" / name, directory / name)
    script = directory / ("slipway-%s.sh" % digest[:16])
    url = "%s/%s" % (options.url.rstrip("/"), bundle.name) if options.url else ""
    script.write_text(single_script(digest, url), encoding="utf-8")
    script.chmod(0o755)
    (directory / "manifest.json").write_text((archive.render(described)), encoding="utf-8")
    return directory


def main(arguments: list[str]) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lifecycle.bundle", description="Make a bundle for a site.")
    parser.add_argument("--site", default="inventories/example", help="directory with the site's group_vars and lock")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="where the bundle's directory is made")
    parser.add_argument("--artifacts", type=Path, help="directory that has the lock's files under their names")
    parser.add_argument("--no-artifacts", dest="artifacts_included", action="store_false", help="nodes fetch them")
    parser.add_argument("--plugins", type=Path, help="directory with built plugins (pyxis_build_cache)")
    parser.add_argument("--packages", type=Path, help="repository with the distribution's packages, for nodes without")
    parser.add_argument("--url", default="", help="prefix (https://… or s3://…) under which nodes find the bundle")
    parser.add_argument("--python", nargs="+", default=list(wheels.PYTHONS), help="versions of Python on the nodes")
    parser.add_argument("--architecture", nargs="+", default=list(wheels.ARCHITECTURES), choices=wheels.ARCHITECTURES)
    parser.add_argument("--lock-wheels", action="store_true", help="write the wheels' checksums, and make no bundle")
    options = parser.parse_args(arguments)
    try:
        if options.lock_wheels:
            for python in options.python:
                wheels.lock(python, CACHE / "locking")
            return 0
        directory = make(options)
    except BadConfiguration as error:
        print("no bundle was made: %s" % error, file=sys.stderr)
        return 2
    for path in sorted(directory.iterdir()):
        print("%10d  %s" % (path.stat().st_size, path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
