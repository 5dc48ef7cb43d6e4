"""C-20: the registries of the run's other images, and docker's mirrors, answer the node."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, failed, passed, skipped, warned
from validate.probing import Node

CHECK = Check(
    id="C-20",
    title="registries answer",
    tier="quick",
    step="host",
    cause="the registry does not answer this node: it does not run, or a proxy, a firewall or a route keeps them apart",
    fix="curl -kI https://REGISTRY/v2/ on this node; env | grep -i proxy; systemctl status the registry's own service",
    after=("N-30", "N-10", "N-24", "N-07"),
    files=("/etc/docker/daemon.json", "/etc/enroot/enroot.conf"),
    seconds=30,
)


# For each address of a host, which may have several; all hosts together get no more than PATIENCE.
SECONDS, PATIENCE = 4, 20
# The last is what something says that speaks no HTTP.
REFUSALS = (OSError, ValueError, http.client.HTTPException)
HUB = "registry-1.docker.io"
IMAGES = ("plain_image", "newest_image", "workload_image")


def observe(node: Node) -> Any:
    """Ask each for its version; whoever answers at all is there, whatever it thinks of this account."""
    settings, online = node.settings, "network" in node.settings.get("allow", ())
    images = [str(settings.get(name) or "") for name in (*IMAGES, *(["online_image"] if online else []))]
    hosts = {host: "image" for host in map(registry_of, images) if host and (online or host != HUB)}
    for url in mirrors(node):
        hosts.setdefault(re.sub(r"^https?://|/.*$", "", url), "mirror")
    # Of that one C-01 speaks; where it is another's, or none's, C-01 has nothing to do with these.
    hosts.pop(registry_of(str(settings.get("image") or "")), None)
    plain = reading.enroot_settings(node).get("ENROOT_ALLOW_HTTP", "").lower() in ("y", "yes")
    said = asked({host: plain or use == "mirror" for host, use in hosts.items()})
    return {host: [use, *said[host]] for host, use in hosts.items()}


def asked(hosts: Mapping[str, bool]) -> dict[str, tuple[str, str | None]]:
    """Return host -> its problem and its distrust; ``hosts`` says of each whether it may be asked without TLS."""
    found: dict[str, tuple[str, str | None]] = {}

    def ask(host: str, plain: bool) -> None:
        said = problem(host, plain)
        found[host] = (said, None)
        if not said:
            found[host] = (said, distrust(host))

    # Nobody waits for one that is still at it when the probe ends.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in hosts.items()]
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return {host: found.get(host, (f"no answer within {PATIENCE} s", None)) for host in hosts}


def registry_of(image: str) -> str:
    """Return the host of an image's registry, '' for a file; enroot divides it by # from the path, docker by /."""
    text = image.partition("://")[2] if "://" in image else image
    if not text or text.startswith((".", "/")) or image.startswith(("dockerd://", "podman://")):
        return ""
    text = text.rpartition("@")[2] if "@sha256" not in text else text
    host, divided, _path = text.partition("#")
    if not divided:
        host, divided, _path = text.partition("/")
        if not divided or not re.search(r"[.:]|^localhost$", host):
            return HUB
    return HUB if host in ("docker.io", "index.docker.io") else host


def mirrors(node: Node) -> list[str]:
    """Return docker's mirrors of the public registry."""
    try:
        found = json.loads(node.read("/etc/docker/daemon.json") or "{}").get("registry-mirrors", [])
    except (ValueError, AttributeError):
        return []
    return [str(url) for url in found] if isinstance(found, list) else []


def problem(host: str, plain: bool) -> str:
    """Return why a registry does not answer, '' where it does."""
    # Whether its certificate is trusted is another question: each runtime may have certificates of its own.
    trusting = ssl._create_unverified_context()  # noqa: S323 - see above
    said = ""
    for scheme in ("https", "http") if plain else ("https",):
        try:
            url = f"{scheme}://{host}/v2/"
            with urllib.request.urlopen(url, timeout=SECONDS, context=trusting):  # noqa: S310 - see scheme
                return ""
        except urllib.error.HTTPError as error:
            said = f"HTTP {error.code}" if error.code >= 500 else ""
            if not said:
                return ""
        except REFUSALS as error:
            reason = getattr(error, "reason", error)
            said = f"no answer within {SECONDS} s" if "timed out" in str(reason) else str(reason)
            # Something that speaks no TLS is there: enroot.conf says whether it may be asked without.
            if isinstance(reason, ssl.SSLError) and "timed out" not in said:
                said = ""
    return said


def distrust(host: str) -> str | None:
    """Return why the node's own certificates do not vouch for a registry, '' where they do, None without TLS."""
    try:
        url = f"https://{host}/v2/"
        with urllib.request.urlopen(url, timeout=SECONDS, context=ssl.create_default_context()):
            return ""
    except urllib.error.HTTPError:
        return ""
    except REFUSALS as error:
        reason = getattr(error, "reason", error)
        return reason.verify_message or str(reason) if isinstance(reason, ssl.SSLCertVerificationError) else None


def judge(observed: Any, context: Context) -> Finding:
    """Every one answers; a mirror may fail, because docker then asks the public registry itself."""
    if observed == {}:
        return skipped("no image of this run but C-01's comes from a registry, and docker has no mirror")
    bad = {host: [use, said] for host, (use, said, *_trust) in observed.items() if said}
    said = "; ".join(f"{host}: {reason}" for host, (_use, reason) in bad.items())
    fix = CHECK.fix.replace("REGISTRY", next(iter(bad), ""))
    if any(use == "image" for use, _reason in bad.values()):
        return failed(said, "an answer", fix=fix)
    if bad:
        return warned(
            said,
            "an answer",
            "docker's mirror does not answer: every pull waits for it, and then asks the public registry",
            f"{fix}; registry-mirrors in /etc/docker/daemon.json",
        )
    beside = compare(context.fleet, trusted(observed), trusted, merit=lambda _host, trusts: trusts)
    lost = beside.lost
    if lost:
        return failed(
            "; ".join(f"{host}: {observed[host][2]}" for host in lost),
            f"a certificate that the node trusts, {beside.on}",
            "this node does not trust the registry's certificate, and others do: its certificates of authorities are "
            "missing, empty or older",
            f"ls -l /etc/ssl/certs/ca-certificates.crt, or /etc/pki/tls/certs/ca-bundle.crt, here and on "
            f"{beside.like}; apt-get install --reinstall ca-certificates; update-ca-certificates --fresh, or dnf "
            "reinstall ca-certificates; update-ca-trust extract",
        )
    return passed(", ".join(observed))


def trusted(observed: Any) -> dict[str, bool]:
    """Return which images' registries the node trusts, where that is known; older results do not say."""
    known = {host: seen[2] for host, seen in observed.items() if seen[0] == "image" and len(seen) > 2}
    return {host: not why for host, why in known.items() if why is not None}
