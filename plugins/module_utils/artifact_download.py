"""One file from a web server, and whether it is evidently something else."""

from __future__ import annotations

import http.client
import re
import urllib.error
from typing import Any, Callable
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.urls import open_url
from ansible_collections.slipway.containers.plugins.module_utils.artifact_failures import (
    Failure,
    http_failure,
    network_failure,
)
from ansible_collections.slipway.containers.plugins.module_utils.artifacts import Artifact, redact

BLOCK = 1 << 20
REDIRECTS = 5
HTML_SUFFIXES = (".html", ".htm")


def download(
    write: Callable[[bytes], None], url: str, artifact: Artifact, size: int | None, mirror: str, timeout: int
) -> None:
    """Take the file from a web server, block by block; raises Failure."""
    host = urlsplit(url).hostname
    announced, received, broken = None, 0, False
    try:
        response = _open(url, mirror, timeout)
        announced = response.headers.get("Content-Length")
        for block in iter(lambda: response.read(BLOCK), b""):
            write(block)
            received += len(block)
            if size is not None and received > size + BLOCK:
                raise Failure(
                    "the file is longer than the recorded one",
                    "the server delivers something else under this URL: look at it before you record it",
                    "more than %d bytes" % size,
                    "%d bytes" % size,
                )
    except urllib.error.HTTPError as error:
        raise http_failure(error, artifact, mirror) from None
    except http.client.IncompleteRead:
        broken = True
    except (OSError, http.client.HTTPException) as error:
        raise network_failure(error, host, mirror, timeout) from None
    if broken or (announced and announced.isdigit() and received < int(announced)):
        raise Failure(
            "the download was cut off",
            "run again; if it stays, look at the server or the proxy between",
            "%d bytes" % received,
            "%s bytes" % announced if announced else "",
            transient=True,
        )


def _open(url: str, mirror: str, timeout: int) -> Any:
    """Open a URL; redirects are followed by hand, since a mirror must not send us to another host."""
    for _redirect in range(REDIRECTS):
        try:
            return open_url(
                url,
                timeout=timeout,
                http_agent="slipway",
                follow_redirects="none",
                decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        except urllib.error.HTTPError as error:
            target = error.headers.get("Location") if error.code in (301, 302, 303, 307, 308) else None
            if not target:
                raise
        target = urljoin(url, target)
        if mirror and urlsplit(target).netloc.rpartition("@")[2] != urlsplit(url).netloc.rpartition("@")[2]:
            raise Failure(
                "the mirror redirects to another host",
                "with artifact_mirror set no other host is asked: let the mirror deliver the file itself",
                redact(target),
                "a file from %s" % urlsplit(url).hostname,
            )
        url = target
    raise Failure("redirected more than %d times" % REDIRECTS, "open the URL in a browser and correct it")


def _looks_like_html(head: bytes, filename: str) -> bool:
    """Tell whether a web page came where a file was asked for: a login page, or an error page sent as 200."""
    if filename.lower().endswith(HTML_SUFFIXES):
        return False
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml version")) and b"<html" in head.lower()


def _title_of(head: bytes) -> str:
    """Return the title of an HTML page, or nothing."""
    found = re.search(rb"<title[^>]*>([^<]{1,200})", head, re.IGNORECASE)
    return " ".join(found.group(1).decode("utf-8", "replace").split()) if found else ""


def judge(head: bytes, artifact: Artifact, transient: bool) -> None:
    """Refuse what is evidently something else, because a bare checksum error would not say what came."""
    if _looks_like_html(head, artifact.filename):
        title = _title_of(head)
        raise Failure(
            "an HTML page came instead of the file",
            "open the URL in a browser: a proxy's or a portal's login page is the usual cause",
            'a page titled "%s"' % title if title else "a page without a title",
        )
    if not head:
        raise Failure("the file is empty", "check the file at its source", "0 bytes", transient=transient)
