"""Keys and files a sandbox's nodes are given. Made once for each sandbox, then kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from .process import Runner
from .state import write_atomically

OPERATOR = 2000
HOST_KEY = "ssh_host_ed25519_key"


def make_key(runner: Runner, path: Path, comment: str) -> None:
    if path.is_file() and path.with_suffix(".pub").is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    runner.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def known_hosts(addresses: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """Hosts are reached by address; names repeat from one sandbox to the next."""
    lines = []
    for node, address in addresses.items():
        kind, key = keys[node].split()[:2]
        lines.append(f"{address} {kind} {key}\n")
    return "".join(lines)


def directories(state: Path) -> None:
    for name, mode in (("", 0o755), ("home", 0o755), ("images", 0o755)):
        (state / name).mkdir(parents=True, exist_ok=True)
        (state / name).chmod(mode)
    for name in ("seed", "ssh"):
        (state / name).mkdir(exist_ok=True, mode=0o700)
    os.chown(state / "images", OPERATOR, OPERATOR)
    # Whatever the repository ignores: a key must never be offered to `git add`.
    write_atomically(state / ".gitignore", "*\n")


def keys(runner: Runner, state: Path, addresses: Mapping[str, str]) -> None:
    munge = state / "seed" / "munge.key"
    if not munge.is_file():
        munge.touch(mode=0o600)
        munge.write_bytes(secrets.token_bytes(1024))
    make_key(runner, state / "ssh" / "id_ed25519", "slipway-sandbox")
    public = (state / "ssh" / "id_ed25519.pub").read_text(encoding="utf-8")
    write_atomically(state / "seed" / "authorized_keys", public, 0o600)
    hosts = "".join(f"{address} {node}\n" for node, address in addresses.items())
    write_atomically(state / "seed" / "hosts.list", hosts)
    found = {}
    for node in addresses:
        path = state / "seed" / "hosts" / node / HOST_KEY
        make_key(runner, path, node)
        found[node] = path.with_suffix(".pub").read_text(encoding="utf-8")
    write_atomically(state / "ssh" / "known_hosts", known_hosts(addresses, found), 0o600)


def slurm(state: Path, files: Mapping[str, str]) -> bool:
    """Write Slurm's configuration; True where it differs from what was there before."""
    directory = state / "seed" / "slurm"
    directory.mkdir(parents=True, exist_ok=True)
    changed = False
    for name, text in files.items():
        path = directory / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
            changed = True
    return changed


def names(files: Iterable[str]) -> list[str]:
    return [f"/etc/slipway-sandbox/slurm/{name}" for name in files]
