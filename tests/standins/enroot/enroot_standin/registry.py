"""A client of the registry API, version 2. Transfers are curl's, as upstream's are: its messages, its
proxy and CA settings, and no credentials sent along a redirect to a storage server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .errors import EnrootError, info
from .reference import Reference

_LISTS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Registry:
    """One image's registry: asks for permission once, then fetches by digest."""

    def __init__(self, reference: Reference) -> None:
        scheme = "http" if os.environ.get("ENROOT_ALLOW_HTTP") else "https"
        self.reference = reference
        self.base = f"{scheme}://{reference.registry}/v2"
        self.authorization: str | None = None

    def authenticate(self) -> None:
        """Does what the registry's challenge asks for: nothing, a password, or a token."""
        info("Querying registry for permission grant")
        url = f"{self.base}/{self.reference.image}/manifests/{self.reference.version}"
        status, headers, _ = self._request(url, accept=_LISTS + _MANIFESTS, head=True, fail=False)
        if status != HTTPStatus.UNAUTHORIZED:
            _refuse_failure(url, status)
            info("Permission granted")
            return
        credentials = find_credentials(self.reference.registry, self.reference.user)
        info(f"Authenticating with user: {credentials[0] if credentials else '<anonymous>'}")
        challenge = headers.get("www-authenticate", "")
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if challenge.lower().startswith("basic") or "realm" not in fields:
            self.authorization = _basic(credentials)
        else:
            realm = re.sub(r"^https?://([^/:]+).*", r"\1", fields["realm"])
            credentials = find_credentials(realm, self.reference.user) or credentials
            scope = fields.get("scope", f"repository:{self.reference.image}:pull")
            token_url = f"{fields['realm']}?service={fields.get('service', '')}&scope={scope}"
            _, _, body = self._request(token_url, authorization=_basic(credentials))
            token = _json(body)
            self.authorization = f"Bearer {token.get('token') or token.get('access_token')}"
        info("Authentication succeeded")

    def manifest(self, architecture: str) -> dict[str, Any]:
        """The image's manifest for an architecture."""
        info("Fetching image manifest list")
        found, version = self._manifest(self.reference.version), self.reference.version
        info("Fetching image manifest")
        if "manifests" in found:
            version = _choose(found["manifests"], architecture)
            found = self._manifest(version)
        if "layers" not in found:
            raise EnrootError(f"Unsupported image manifest: {self.reference.image}:{version}")
        return found

    def digest(self) -> str:
        """The manifest's digest, by its header or by what was received."""
        url = f"{self.base}/{self.reference.image}/manifests/{self.reference.version}"
        _, headers, body = self._request(url, accept=_LISTS + _MANIFESTS)
        return headers.get("docker-content-digest") or f"sha256:{hashlib.sha256(body).hexdigest()}"

    def blob(self, digest: str, cache: Path) -> Path:
        """A blob, from the cache or fetched into it; what does not match its digest is not kept."""
        wanted = digest.removeprefix("sha256:")
        # A name of its own: enroot keeps blobs compressed, and a node may have changed from one to the other.
        target = cache / f"{wanted}.standin"
        if target.is_file():
            return target
        descriptor, partial = tempfile.mkstemp(prefix=f"{target.name}.", dir=cache)
        os.close(descriptor)
        try:
            self._request(f"{self.base}/{self.reference.image}/blobs/{digest}", output=partial)
            actual = _sha256(Path(partial))
            if actual != wanted:
                raise EnrootError(f"Checksum mismatch: expected {digest}, found sha256:{actual}")
            os.chmod(partial, 0o640)
            os.rename(partial, target)
        finally:
            Path(partial).unlink(missing_ok=True)
        return target

    def _manifest(self, version: str) -> dict[str, Any]:
        url = f"{self.base}/{self.reference.image}/manifests/{version}"
        return _json(self._request(url, accept=_LISTS + _MANIFESTS)[2])

    def _request(
        self,
        url: str,
        *,
        accept: tuple[str, ...] = (),
        authorization: str | None = None,
        head: bool = False,
        fail: bool = True,
        output: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        headers = [f"Accept: {kind}" for kind in accept]
        if authorization or self.authorization:
            headers.append(f"Authorization: {authorization or self.authorization}")
        with tempfile.TemporaryDirectory(prefix="enroot.", dir=os.environ["ENROOT_TEMP_PATH"]) as scratch:
            body = output or f"{scratch}/body"
            command = ["curl", "-sSL", "-q", "-o", body, "-D", f"{scratch}/headers", "-w", "%{http_code}"]
            command += ["-I"] if head else []
            command += ["--connect-timeout", os.environ["ENROOT_CONNECT_TIMEOUT"]]
            command += ["--max-time", os.environ["ENROOT_TRANSFER_TIMEOUT"]]
            command += ["--retry", os.environ["ENROOT_TRANSFER_RETRIES"]]
            # Headers by stdin: a token on the command line would be in everyone's process list.
            text = "".join(f"{header}\n" for header in headers).encode()
            done = subprocess.run([*command, "-H", "@-", "--", url], input=text, stdout=subprocess.PIPE, check=False)
            status = int(done.stdout.decode().strip() or "0")
            if done.returncode != 0:
                raise EnrootError("", status=done.returncode)  # curl has said why
            if fail:
                _refuse_failure(url, status)
            received = _headers(Path(scratch, "headers"))
            return status, received, b"" if output or head else Path(body).read_bytes()


def find_credentials(host: str, user: str | None) -> tuple[str, str] | None:
    """(user, password) of $ENROOT_CONFIG_PATH/.credentials: one line per machine, without its port."""
    path = Path(os.environ["ENROOT_CONFIG_PATH"], ".credentials")
    if not path.is_file():
        return None
    wanted = re.escape(user) if user else r"\S+"
    line = re.compile(rf"^machine\s+{re.escape(host.partition(':')[0])}\s+login\s+({wanted})\s+password\s+(.+)$")
    for text in path.read_text(encoding="utf-8").splitlines():
        match = line.match(text)
        if match is None:
            continue
        password = match[2].strip()
        if password.startswith("$"):
            password = subprocess.run(
                ["bash", "-c", f"echo {password}"], stdout=subprocess.PIPE, check=False, text=True
            ).stdout.strip()
        return match[1], password
    return None


def _basic(credentials: tuple[str, str] | None) -> str | None:
    if credentials is None:
        return None
    return "Basic " + base64.b64encode(":".join(credentials).encode()).decode()


def _choose(manifests: list[dict[str, Any]], architecture: str) -> str:
    wanted = _ARCHITECTURES.get(architecture, architecture)
    for entry in manifests:
        where = entry.get("platform", {})
        if where.get("architecture") == wanted and where.get("os", "linux") == "linux":
            return str(entry["digest"])
    raise EnrootError(f"No image for architecture: {wanted}")


def _headers(path: Path) -> dict[str, str]:
    """Those of the last response: a redirect leaves several blocks."""
    lines = path.read_text(encoding="latin-1").strip().split("\r\n\r\n")[-1].splitlines()[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EnrootError("Could not process JSON input")
    return found


def _refuse_failure(url: str, status: int) -> None:
    if status < HTTPStatus.BAD_REQUEST:
        return
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    raise EnrootError(f"URL {url} returned error code: {status} {phrase}".rstrip())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def host_architecture() -> str:
    return platform.machine()
