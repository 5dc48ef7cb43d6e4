"""Fetch one file of known content, over HTTPS, S3 or from a directory. Stands alone: the standard library only.

A single script that a platform hands to a node carries this file as it is (see ``templates/slipway.sh.in``).
"""

from __future__ import annotations

import email.utils
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Callable, NamedTuple

BLOCK = 1 << 20
READ_SECONDS = 30.0
# Below this a server is taken for one that accepts and then hangs.
SLOWEST_BYTES_PER_SECOND = 20_000
HTML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head)\b", re.IGNORECASE)
SIGNATURE = re.compile(r"\?.*", re.DOTALL)
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d\Z")


class FetchError(Exception):
    """A file that could not be had; ``transient`` where trying again may help, ``wait`` as the server asked (s)."""

    def __init__(self, message: str, transient: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.transient, self.wait = transient, wait


class Fetched(NamedTuple):
    """What it took: tries over all sources, bytes that came, seconds."""

    attempts: int
    bytes: int
    seconds: float


class Limits(NamedTuple):
    """Bounds of one fetch; seconds."""

    retries: int = 4
    delay: float = 1.0
    longest_delay: float = 60.0
    read_seconds: float = READ_SECONDS
    total_seconds: float = 600.0


def shown(url: str) -> str:
    """Return a URL without what may be secret in it: user, password and query (a signature)."""
    return re.sub(r"//[^/@]*@", "//***@", SIGNATURE.sub("?***", url))


def fetch(
    sources: list[str],
    sha256: str,
    destination: str,
    limits: Limits = Limits(),  # noqa: B008 -- immutable
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _text: None,
) -> Fetched:
    """Write the file to ``destination`` by rename, from the first source that has it whole.

    Raises FetchError with what every source said; then nothing is left behind.
    """
    begin, attempts, received = time.monotonic(), 0, 0
    failures = []
    for source in sources:
        for attempt in range(1, limits.retries + 2):
            attempts += 1
            directory = os.path.dirname(os.path.abspath(destination))
            descriptor, partial = tempfile.mkstemp(prefix=".slipway-partial-", dir=directory)
            os.close(descriptor)
            try:
                left = limits.total_seconds - (time.monotonic() - begin)
                if left <= 0:
                    raise FetchError("the %.0f s for fetching are used up" % limits.total_seconds)
                transfer(source, partial, limits, left)
                received += os.path.getsize(partial)
                check(partial, sha256)
                os.chmod(partial, 0o644)
                os.replace(partial, destination)
                return Fetched(attempts, received, time.monotonic() - begin)
            except FetchError as error:
                say("%s: %s" % (shown(source), error))
                if attempt > limits.retries or not error.transient:
                    tried = " (tried %d times)" % attempt if attempt > 1 else ""
                    failures.append("%s: %s%s" % (shown(source), error, tried))
                    break
                sleep(min(pause(attempt, error.wait, limits), limits.total_seconds))
            finally:
                if os.path.exists(partial):
                    os.unlink(partial)
    raise FetchError("; ".join(failures) or "no source was given")


def pause(attempt: int, asked: float, limits: Limits) -> float:
    """Return seconds to wait: jittered, because many nodes failed in the same second, and no less than asked for."""
    usual = min(limits.longest_delay, limits.delay * 2 ** (attempt - 1))
    return max(random.uniform(usual / 2, usual), asked * random.uniform(1.0, 1.25))


def check(path: str, sha256: str) -> None:
    """Raise FetchError where a file is not the one that is wanted."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        head = stream.read(512)
        stream.seek(0)
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    if digest.hexdigest() == sha256:
        return
    if HTML.match(head):
        raise FetchError("an HTML page came instead of the file", transient=True)
    size = os.path.getsize(path)
    raise FetchError("sha256 is %s (%d bytes), expected %s" % (digest.hexdigest(), size, sha256), transient=True)


def transfer(source: str, path: str, limits: Limits, seconds: float) -> None:
    """Bring a source's content into a file; raises FetchError."""
    if source.startswith(("https://", "http://")):
        transfer_http(source, path, limits, seconds)
    elif source.startswith("s3://"):
        transfer_s3(source, path, seconds)
    else:
        try:
            shutil.copyfile(source.removeprefix("file://"), path)
        except OSError as error:
            raise FetchError("cannot be read: %s" % error.strerror) from None


def transfer_http(url: str, path: str, limits: Limits, seconds: float) -> None:
    """Download; every read and the whole are bounded."""
    begin = time.monotonic()
    received, announced = 0, None
    try:
        # S310: the scheme has been looked at.
        with urllib.request.urlopen(url, timeout=limits.read_seconds) as answer:  # noqa: S310 -- http or https only
            announced = answer.headers.get("Content-Length")
            with open(path, "wb") as stream:
                # read1: what has arrived, and not a whole block however long it takes.
                for block in iter(lambda: answer.read1(BLOCK), b""):
                    stream.write(block)
                    received += len(block)
                    used = time.monotonic() - begin
                    if used > seconds or (used > limits.read_seconds and received / used < SLOWEST_BYTES_PER_SECOND):
                        raise FetchError("too slow: %d bytes in %.0f s" % (received, used), transient=True)
    except urllib.error.HTTPError as error:
        raise http_failure(error) from None
    except (OSError, ValueError) as error:
        raise FetchError(network_failure(error), transient=True) from None
    if announced and announced.isdigit() and received < int(announced):
        raise FetchError("cut off after %d of %s bytes" % (received, announced), transient=True)


def http_failure(error: urllib.error.HTTPError) -> FetchError:
    """Say what a status means; S3 answers 301 without a place where the bucket is in another region."""
    asked = retry_after(error.headers.get("Retry-After"))
    region = error.headers.get("x-amz-bucket-region") or ""
    if error.code in (301, 307) and REGION.match(region):
        return FetchError("HTTP %d: the bucket is in %s: use that region's address" % (error.code, region))
    if error.code == 403 and not asked:
        return FetchError("HTTP 403: refused: the node's role lacks s3:GetObject, or the link has expired")
    transient = error.code in (403, 408, 425, 429) or error.code >= 500
    return FetchError("HTTP %d %s" % (error.code, error.reason), transient, asked)


def retry_after(header: str | None, now: float | None = None) -> float:
    """Return the seconds in a Retry-After header (RFC 9110: seconds or a date), 0 without one."""
    text = (header or "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now))
    except (TypeError, ValueError, IndexError):
        return 0.0


def network_failure(error: BaseException) -> str:
    """Return in a few words why there was no connection."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return "no answer in time: is there a route (an S3 endpoint in the VPC, a proxy)?"
    return "the connection failed: %s" % reason


def transfer_s3(url: str, path: str, seconds: float) -> None:
    """Download with the node's own AWS CLI, which has the node's role; in the bucket's own region."""
    program = shutil.which("aws", path=os.environ.get("PATH", "") + ":/usr/local/bin:/opt/aws/bin")
    if not program:
        raise FetchError("the program aws is not installed, and s3:// needs it: use an https:// address")
    bucket = url.removeprefix("s3://").partition("/")[0]
    command = [program, "s3", "cp", "--only-show-errors", "--cli-read-timeout", "30", url, path]
    region = bucket_region(bucket)
    try:
        done = subprocess.run(
            command + (["--region", region] if region else []),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FetchError("no answer in time: is there an S3 endpoint in the VPC?", transient=True) from None
    except OSError as error:
        raise FetchError("aws cannot be started: %s" % error.strerror) from None
    if done.returncode:
        raise s3_failure(done.stderr.decode("utf-8", "replace"))


def bucket_region(bucket: str) -> str:
    """Return the region of a bucket, '' where nobody says; S3 names it even to who may not read the bucket."""
    ask = urllib.request.Request("https://%s.s3.amazonaws.com/" % bucket, method="HEAD")  # noqa: S310 -- https
    try:
        with urllib.request.urlopen(ask, timeout=5) as answer:  # noqa: S310 -- https
            region = answer.headers.get("x-amz-bucket-region")
    except urllib.error.HTTPError as error:
        region = error.headers.get("x-amz-bucket-region")
    except (OSError, ValueError):
        return ""
    return region if region and REGION.match(region) else ""


def s3_failure(text: str) -> FetchError:
    """Say what the AWS CLI means (its texts are from botocore's documentation, not recorded here)."""
    line = " ".join(text.split())[-300:]
    if re.search(r"\(403\)|AccessDenied|Forbidden", text):
        return FetchError("refused (403): the node's role lacks s3:GetObject for it: %s" % line)
    if re.search(r"\(404\)|NoSuchKey|NoSuchBucket", text):
        return FetchError("not there (404): %s" % line)
    if re.search(r"[Tt]imeout|[Tt]imed out|Could not connect|Connection was closed", text):
        return FetchError("no answer in time: is there an S3 endpoint in the VPC? %s" % line, transient=True)
    if "Unable to locate credentials" in text:
        return FetchError("the node has no role (credentials): %s" % line)
    return FetchError("aws failed: %s" % line, transient=True)
