#!/usr/bin/env python3
"""Makes an apt repository of packages, signed with a key that is made for it.

    repository.py --packages DIR --output DIR --key FILE

It is flat, as NVIDIA's is. One that holds these packages already is left alone, key and all.
The public key goes to FILE; the secret one is deleted. Needs dpkg-scanpackages and gpg, no network.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

NAME = "Slipway sandbox repository"
INDEX, SIGNED = "Packages", "InRelease"


def make(packages: Iterable[Path], output: Path, key: Path) -> None:
    """Make the repository; raises CalledProcessError where a tool fails."""
    output.mkdir(parents=True, exist_ok=True)
    for path in packages:
        shutil.copyfile(path, output / path.name)
        (output / path.name).chmod(0o644)
    scan = ["dpkg-scanpackages", "--multiversion", "."]
    listing = subprocess.run(scan, cwd=output, capture_output=True, check=True).stdout
    index = output / INDEX
    if index.is_file() and index.read_bytes() == listing and key.is_file() and (output / SIGNED).is_file():
        return
    index.write_bytes(listing)
    digest = hashlib.sha256(listing).hexdigest()
    moment = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S +0000")
    release = f"Origin: {NAME}\nDate: {moment}\nSHA256:\n {digest} {len(listing)} {INDEX}\n"
    sign(release, output / SIGNED, key)


def sign(text: str, target: Path, key: Path) -> None:
    """Sign a text with a new key, and keep only the public half."""
    # gpg-agent's socket lies in there, and its path must be short.
    with tempfile.TemporaryDirectory(prefix="gpg.") as home:
        environment = {**os.environ, "GNUPGHOME": home}
        base = ["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode=loopback", "--passphrase="]

        def gpg(*arguments: str, words: str = "") -> str:
            command = [*base, *arguments]
            return subprocess.run(
                command, env=environment, input=words, capture_output=True, text=True, check=True
            ).stdout

        try:
            gpg("--quick-generate-key", NAME, "rsa3072", "sign", "never")
            target.write_text(gpg("--clear-sign", words=text), encoding="ascii")
            key.write_text(gpg("--armor", "--export"), encoding="ascii")
        finally:
            subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment, check=False)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make a signed apt repository.")
    parser.add_argument("--packages", required=True, type=Path, metavar="DIR")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR")
    parser.add_argument("--key", required=True, type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    make(sorted(arguments.packages.glob("*.deb")), arguments.output, arguments.key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
