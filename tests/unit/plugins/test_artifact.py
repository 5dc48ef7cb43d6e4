"""The module ``artifact`` against a real web server: bad luck has its message and leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import artifact_lock, artifact_store
from ansible_collections.slipway.containers.plugins.module_utils.artifact_failures import Failure
from ansible_collections.slipway.containers.plugins.module_utils.artifacts import Artifact
from ansible_collections.slipway.containers.plugins.modules import artifact as module

PACKAGE = b"!<arch>\n" + bytes(range(256)) * 40
SHA256 = hashlib.sha256(PACKAGE).hexdigest()
REPOSITORY = Path(__file__).parents[3]


class Upstream:
    """A web server whose answers a test scripts: path -> list of answers, the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                upstream.requests.append(self.path)
                script = upstream.answers.get(self.path, [{"status": 404}])
                answer = script.pop(0) if len(script) > 1 else script[0]
                body = answer.get("body", b"")
                self.send_response(answer.get("status", 200))
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value)
                if "chunks" in answer:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(answer["chunks"])
                else:
                    self.send_header("Content-Length", str(answer.get("length", len(body))))
                    self.end_headers()
                    self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_arguments: Any) -> None:
                """Keep the test output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def offer(self, path: str, *answers: dict[str, Any]) -> None:
        """Script the answers for a path."""
        self.answers[path] = list(answers)

    def close(self) -> None:
        """Stop the server."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


class Site:
    """The control node's side: cache, lock file, and how the module is called."""

    def __init__(self, directory: Path) -> None:
        self.cache = directory / "cache"
        self.lock = directory / "artifacts.lock.yml"
        self.waits: list[float] = []

    def run(self, artifacts: list[dict[str, Any]], check: bool = False, **options: Any) -> dict[str, Any]:
        params = {
            "artifacts": artifacts,
            "action": "fetch",
            "cache_dir": str(self.cache),
            "lock_file": str(self.lock),
            "mirror": "",
            "allow_unlocked": False,
            "force": False,
            "retries": 2,
            "retry_delay": 1.0,
            "timeout": 5,
        }
        params.update(options)
        return module.run(params, check, sleep=self.waits.append)

    def files(self) -> list[str]:
        """Every file in the cache, partial ones included."""
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def wanted(base: str, filename: str = "enroot_4.1.2-1_amd64.deb", sha256: str = SHA256) -> dict[str, Any]:
    return {
        "name": "enroot",
        "version": "4.1.2",
        "filename": filename,
        "url": "%s/%s" % (base, filename),
        "sha256": sha256,
    }


def locked(site: Site, filename: str, sha256: str = SHA256, size: int = len(PACKAGE)) -> None:
    site.lock.write_text(
        artifact_lock.render({filename: artifact_lock.Entry("https://upstream.example/x", sha256, size)})
    )


def refused(result: dict[str, Any], site: Site) -> str:
    """Assert that the module failed and left no file; returns the message."""
    assert result["failed"] is True
    assert site.files() == []
    assert "nothing was installed" in result["msg"]
    return str(result["msg"])


# What works


def test_a_file_is_downloaded_once_and_then_verified_in_the_cache(site: Site, upstream: Upstream) -> None:
    artifact = wanted(upstream.url)
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    first = site.run([artifact, dict(artifact)])
    assert first["changed"] is True
    item = first["artifacts"]["enroot_4.1.2-1_amd64.deb"]
    assert item == {
        "path": str(site.cache / SHA256[:16] / "enroot_4.1.2-1_amd64.deb"),
        "sha256": SHA256,
        "size": len(PACKAGE),
        "url": artifact["url"],
        "downloaded": True,
    }
    assert Path(item["path"]).read_bytes() == PACKAGE
    assert Path(item["path"]).stat().st_mode & 0o777 == 0o644
    second = site.run([artifact])
    assert second["changed"] is False
    assert second["artifacts"]["enroot_4.1.2-1_amd64.deb"]["downloaded"] is False
    assert len(upstream.requests) == 1


def test_the_lock_file_supplies_the_checksum(site: Site, upstream: Upstream) -> None:
    upstream.offer("/pyxis.tar.gz", {"body": PACKAGE})
    locked(site, "pyxis.tar.gz")
    result = site.run([wanted(upstream.url, "pyxis.tar.gz", "")])
    assert result["artifacts"]["pyxis.tar.gz"]["sha256"] == SHA256


def test_a_gzip_content_encoding_is_not_unpacked(site: Site, upstream: Upstream) -> None:
    upstream.offer("/pyxis.tar.gz", {"body": PACKAGE, "headers": {"Content-Encoding": "gzip"}})
    assert not site.run([wanted(upstream.url, "pyxis.tar.gz")]).get("failed")


def test_a_mirror_directory_is_enough(site: Site, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "enroot_4.1.2-1_amd64.deb").write_bytes(PACKAGE)
    result = site.run([wanted("http://127.0.0.1:9")], mirror=str(mirror))
    assert result["artifacts"]["enroot_4.1.2-1_amd64.deb"]["url"] == str(mirror / "enroot_4.1.2-1_amd64.deb")
    assert result["changed"] is True


def test_with_a_mirror_url_nothing_else_is_asked(site: Site, upstream: Upstream) -> None:
    public = Upstream()
    try:
        upstream.offer("/keep/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
        result = site.run([wanted(public.url)], mirror=upstream.url + "/keep/")
        assert not result.get("failed")
        assert upstream.requests == ["/keep/enroot_4.1.2-1_amd64.deb"]
        assert public.requests == []
    finally:
        public.close()


def test_a_mirror_must_not_send_us_elsewhere(site: Site, upstream: Upstream) -> None:
    public = Upstream()
    public.offer("/x", {"body": PACKAGE})
    try:
        upstream.offer("/x.deb", {"status": 302, "headers": {"Location": public.url + "/x"}})
        message = refused(site.run([wanted("https://upstream.example", "x.deb")], mirror=upstream.url), site)
        assert "the mirror redirects to another host" in message
        assert public.requests == []
    finally:
        public.close()


def test_upstream_may_redirect(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"status": 302, "headers": {"Location": "/real"}})
    upstream.offer("/real", {"body": PACKAGE})
    assert not site.run([wanted(upstream.url, "x.deb")]).get("failed")


def test_a_redirect_loop_ends(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"status": 301, "headers": {"Location": "/x.deb"}})
    assert "redirected more than 5 times" in refused(site.run([wanted(upstream.url, "x.deb")]), site)


def test_check_mode_downloads_nothing_and_says_what_would_be(site: Site, upstream: Upstream) -> None:
    result = site.run([wanted(upstream.url)], check=True)
    assert result["changed"] is True
    assert result["artifacts"]["enroot_4.1.2-1_amd64.deb"]["path"].startswith(str(site.cache))
    assert upstream.requests == []
    assert not site.cache.exists()


def test_check_mode_knows_what_is_cached(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    site.run([wanted(upstream.url)])
    result = site.run([wanted(upstream.url)], check=True)
    assert (result["changed"], result["artifacts"]["enroot_4.1.2-1_amd64.deb"]["downloaded"]) == (
        False,
        False,
    )


def test_check_mode_reports_problems_too(site: Site, tmp_path: Path) -> None:
    message = refused(site.run([wanted("http://x.example")], check=True, mirror=str(tmp_path)), site)
    assert "not in the mirror" in message


# Bad luck


def test_404_names_artifact_url_and_what_to_do(site: Site, upstream: Upstream) -> None:
    message = refused(site.run([wanted(upstream.url)]), site)
    assert "enroot_4.1.2-1_amd64.deb (enroot 4.1.2): HTTP 404" in message
    assert upstream.url + "/enroot_4.1.2-1_amd64.deb" in message
    assert "check that enroot 4.1.2 exists upstream" in message
    assert SHA256 in message
    assert len(upstream.requests) == 1
    assert site.waits == []


def test_404_of_a_mirror_says_to_put_the_file_there(site: Site, upstream: Upstream) -> None:
    message = refused(site.run([wanted("https://upstream.example")], mirror=upstream.url), site)
    assert "put the file into the mirror under exactly this name" in message


def test_500_is_tried_again(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"status": 500}, {"status": 503}, {"body": PACKAGE})
    assert not site.run([wanted(upstream.url)]).get("failed")
    assert site.waits == [1.0, 2.0]


def test_500_for_ever_is_an_error(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"status": 502})
    assert "HTTP 502 Bad Gateway (tried 3 times)" in refused(site.run([wanted(upstream.url)]), site)


def test_retry_after_is_honoured_up_to_a_minute(site: Site, upstream: Upstream) -> None:
    answers = ({"status": 429, "headers": {"Retry-After": wait}} for wait in ("7", "3600"))
    upstream.offer("/enroot_4.1.2-1_amd64.deb", *answers, {"body": PACKAGE})
    site.run([wanted(upstream.url)])
    assert site.waits == [7.0, 60]


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html><head><title>Sign in\n to Corp</title></head>",
        b"\xef\xbb\xbf  <HTML><title>Sign in to Corp</title>",
        b'<?xml version="1.0"?><html xmlns="x"><title>Sign in to Corp</title>',
    ],
)
def test_html_instead_of_a_package_is_named(site: Site, upstream: Upstream, page: bytes) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": page})
    message = refused(site.run([wanted(upstream.url)]), site)
    assert "an HTML page came instead of the file" in message
    assert 'a page titled "Sign in to Corp"' in message


def test_html_is_refused_even_where_no_checksum_is_known(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": b"<html>no</html>"})
    assert "HTML page" in refused(site.run([wanted(upstream.url, "x.deb", "")], allow_unlocked=True), site)


def test_a_truncated_download_is_tried_again(site: Site, upstream: Upstream) -> None:
    short = {"body": PACKAGE[:100], "length": len(PACKAGE)}
    upstream.offer("/enroot_4.1.2-1_amd64.deb", short, {"body": PACKAGE})
    assert not site.run([wanted(upstream.url)]).get("failed")


@pytest.mark.parametrize(
    "answer",
    [
        {"body": PACKAGE[:100], "length": len(PACKAGE)},
        {"chunks": b"%x\r\n" % len(PACKAGE) + PACKAGE[:100]},
    ],
    ids=["content-length", "chunked"],
)
def test_a_download_that_is_always_cut_off_is_an_error(site: Site, upstream: Upstream, answer: dict[str, Any]) -> None:
    upstream.offer("/x.deb", answer)
    message = refused(site.run([wanted(upstream.url, "x.deb", "")], allow_unlocked=True), site)
    assert "the download was cut off (tried 3 times)" in message


def test_a_truncated_file_in_the_mirror_says_so(site: Site, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "x.deb").write_bytes(PACKAGE[:77])
    locked(site, "x.deb")
    message = refused(site.run([wanted("https://upstream.example", "x.deb", "")], mirror=str(mirror)), site)
    assert "the file is cut off" in message
    assert "(77 bytes)" in message
    assert "(%d bytes)" % len(PACKAGE) in message


def test_an_empty_file_is_refused(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": b""})
    assert "the file is empty" in refused(site.run([wanted(upstream.url, "x.deb", "")], allow_unlocked=True), site)


def test_an_endless_file_is_stopped(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": b"x" * (3 << 20)})
    locked(site, "x.deb")
    message = refused(site.run([wanted(upstream.url, "x.deb", "")]), site)
    assert "longer than the recorded one" in message


def test_a_wrong_checksum_names_expected_and_found(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE + b"evil"})
    message = refused(site.run([wanted(upstream.url)]), site)
    assert "wrong checksum" in message
    assert "expected: sha256 %s" % SHA256 in message
    assert "found:    sha256 %s" % hashlib.sha256(PACKAGE + b"evil").hexdigest() in message


def test_a_mirror_that_is_down(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        mirror = "http://127.0.0.1:%d" % unused.getsockname()[1]
    artifacts = [wanted("https://upstream.example", name) for name in ("a.deb", "b.deb", "c.deb")]
    result = site.run(artifacts, mirror=mirror)
    message = refused(result, site)
    assert message.startswith("3 artifact problems; nothing was installed.")
    assert "127.0.0.1 cannot be reached: Connection refused (tried 3 times)" in message
    assert "start the mirror, or correct artifact_mirror" in message
    # Only the first file waits for the host; the two others do not wait the same time again.
    assert site.waits == [1.0, 2.0]


def test_an_unknown_host(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name nowhere.invalid is not known" in refused(site.run([wanted("http://nowhere.invalid")]), site)


def test_a_server_that_hangs(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
        message = refused(site.run([wanted(url)], timeout=1, retries=0), site)
    assert "127.0.0.1 does not answer within 1 s" in message


def test_a_full_disk(site: Site, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    real = os.fdopen

    class Full:
        """A stream on a file system without room."""

        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_details: object) -> None:
            self.stream.close()

        def write(self, _block: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(artifact_store.os, "fdopen", lambda *a, **k: Full(real(*a, **k)))
    message = refused(site.run([wanted(upstream.url)]), site)
    assert "no space left in %s" % site.cache in message
    assert "artifacts_cache" in message
    assert len(upstream.requests) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_really_full_device(site: Site) -> None:
    store = artifact_store.Store(str(site.cache))
    with Path("/dev/full").open("wb", buffering=0) as stream, pytest.raises(Failure, match="no space left"):
        store.write(stream, b"x" * 100)


def test_a_cache_that_is_no_directory(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    site.cache.write_text("in the way")
    result = site.run([wanted(upstream.url)])
    assert "cannot be written" in result["msg"]
    assert "artifacts_cache" in result["msg"]


def test_an_unlocked_artifact_is_refused(site: Site, upstream: Upstream) -> None:
    message = refused(site.run([wanted(upstream.url, sha256="")]), site)
    assert "no checksum is known" in message
    assert "playbooks/lock.yml" in message
    assert "artifacts_allow_unlocked: true" in message
    assert str(site.lock) in message
    assert upstream.requests == []


def test_an_unlocked_artifact_can_be_allowed(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": PACKAGE})
    assert site.run([wanted(upstream.url, "x.deb", "")], allow_unlocked=True)["changed"] is True
    again = site.run([wanted(upstream.url, "x.deb", "")], allow_unlocked=True)
    assert again["changed"] is False
    assert again["artifacts"]["x.deb"]["sha256"] == SHA256


def test_a_damaged_cache_is_repaired(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    path = Path(site.run([wanted(upstream.url)])["artifacts"]["enroot_4.1.2-1_amd64.deb"]["path"])
    path.write_bytes(PACKAGE[:50])
    result = site.run([wanted(upstream.url)])
    assert path.read_bytes() == PACKAGE
    assert result["changed"] is True
    assert "was damaged" in result["warnings"][0]


def test_a_damaged_cache_is_not_kept_when_upstream_is_down(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    path = Path(site.run([wanted(upstream.url)])["artifacts"]["enroot_4.1.2-1_amd64.deb"]["path"])
    path.write_bytes(b"damaged")
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"status": 404})
    refused(site.run([wanted(upstream.url)]), site)


def test_the_rest_of_a_killed_run_is_swept(site: Site, upstream: Upstream) -> None:
    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"body": PACKAGE})
    site.cache.mkdir()
    (site.cache / ".partial-killed").write_bytes(b"half")
    with (site.cache / ".partial-in-use").open("wb") as stream:
        artifact_store.fcntl.flock(stream, artifact_store.fcntl.LOCK_EX)
        site.run([wanted(upstream.url)])
        assert site.files() == [".partial-in-use", "enroot_4.1.2-1_amd64.deb"]


def test_a_killed_run_leaves_nothing_that_counts(site: Site, upstream: Upstream) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    upstream.offer("/enroot_4.1.2-1_amd64.deb", {"status": 500})
    store = artifact_store.Store(str(site.cache), sleep=interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.obtain(Artifact(**wanted(upstream.url)), SHA256, None)
    assert site.files() == []


def test_all_problems_of_all_artifacts_come_together(site: Site, upstream: Upstream) -> None:
    upstream.offer("/html.deb", {"body": b"<html></html>"})
    upstream.offer("/wrong.deb", {"body": b"other"})
    upstream.offer("/good.deb", {"body": PACKAGE})
    artifacts = [wanted(upstream.url, name) for name in ("missing.deb", "html.deb", "wrong.deb", "good.deb")]
    artifacts.append(wanted(upstream.url, "unlocked.deb", ""))
    artifacts.append(wanted(upstream.url, "../escape.deb"))
    result = site.run(artifacts)
    assert result["msg"].startswith("5 artifact problems; nothing was installed.")
    assert {item["problem"] for item in result["problems"]} == {
        "HTTP 404 Not Found",
        "an HTML page came instead of the file",
        "wrong checksum",
        "no checksum is known",
        "not a file name",
    }
    assert all(item["fix"] for item in result["problems"])
    assert site.files() == ["good.deb"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"filename": ".hidden"}, "not a file name"),
        ({"filename": "a b"}, "not a file name"),
        ({"filename": "x\n"}, "not a file name"),
        ({"sha256": "abc"}, "not a SHA-256"),
        ({"url": "ftp://x/y"}, "not a URL"),
        ({"url": "file:///etc/shadow"}, "not a URL"),
        ({"url": "http://a b/"}, "not a URL"),
    ],
)
def test_hostile_requests_are_refused(site: Site, change: dict[str, str], problem: str) -> None:
    assert problem in refused(site.run([{**wanted("https://upstream.example"), **change}]), site)


def test_two_files_under_one_name_are_refused(site: Site) -> None:
    first, second = wanted("https://a.example", "x.deb"), wanted("https://b.example", "x.deb")
    assert "two different files are wanted under this name" in refused(site.run([first, second]), site)


def test_credentials_in_a_url_are_not_shown(site: Site, upstream: Upstream) -> None:
    secret = upstream.url.replace("http://", "http://admin:hunter2@")
    result = site.run([wanted(secret)])
    refused(result, site)
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize("mirror", ["relative/path", "/does/not/exist", "ftp://x", "s3://bucket"])
def test_a_mirror_that_is_none(site: Site, mirror: str) -> None:
    message = refused(site.run([wanted("https://upstream.example")], mirror=mirror), site)
    assert "artifact_mirror: %s is neither" % mirror in message


# The lock file


def test_lock_records_what_was_downloaded(site: Site, upstream: Upstream) -> None:
    locked(site, "other.tar.gz", "0" * 64, 7)
    upstream.offer("/x.deb", {"body": PACKAGE})
    result = site.run([wanted(upstream.url, "x.deb", "")], action="lock")
    assert result["changed"] is True
    text = site.lock.read_text()
    assert text.startswith("# ")
    entries = artifact_lock.parse(text, "lock")
    assert entries["x.deb"] == artifact_lock.Entry(upstream.url + "/x.deb", SHA256, len(PACKAGE))
    assert entries["other.tar.gz"].size == 7
    assert list(entries) == sorted(entries)
    assert site.run([wanted(upstream.url, "x.deb", "")], action="lock")["changed"] is False
    assert site.run([wanted(upstream.url, "x.deb", "")])["changed"] is False


def test_lock_through_a_mirror_records_upstreams_url(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": PACKAGE})
    site.run([wanted("https://u:p@upstream.example", "x.deb", "")], action="lock", mirror=upstream.url)
    assert artifact_lock.parse(site.lock.read_text(), "lock")["x.deb"].url == "https://***@upstream.example/x.deb"


def test_lock_notices_that_upstream_changed(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": PACKAGE})
    site.run([wanted(upstream.url, "x.deb", "")], action="lock")
    before = site.lock.read_text()
    upstream.offer("/x.deb", {"body": PACKAGE + b"2"})
    result = site.run([wanted(upstream.url, "x.deb", "")], action="lock")
    assert "the file has changed since it was locked" in result["msg"]
    assert "nothing was locked" in result["msg"]
    assert site.lock.read_text() == before
    forced = site.run([wanted(upstream.url, "x.deb", "")], action="lock", force=True)
    assert forced["changed"] is True
    assert artifact_lock.parse(site.lock.read_text(), "lock")["x.deb"].size == len(PACKAGE) + 1


def test_force_does_not_override_a_pin(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": b"other"})
    result = site.run([wanted(upstream.url, "x.deb")], action="lock", force=True)
    assert "which is pinned" in result["msg"]
    assert not site.lock.exists()


def test_one_failure_locks_nothing(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": PACKAGE})
    result = site.run([wanted(upstream.url, "x.deb", ""), wanted(upstream.url, "gone.deb", "")], action="lock")
    assert result["failed"] is True
    assert not site.lock.exists()


def test_lock_in_check_mode_writes_nothing(site: Site, upstream: Upstream) -> None:
    assert site.run([wanted(upstream.url, "x.deb", "")], action="lock", check=True)["changed"] is True
    assert upstream.requests == []
    assert not site.lock.exists()


def test_lock_into_a_missing_directory(site: Site, upstream: Upstream) -> None:
    upstream.offer("/x.deb", {"body": PACKAGE})
    site.lock = site.lock.parent / "gone" / "artifacts.lock.yml"
    assert "cannot be written" in site.run([wanted(upstream.url, "x.deb", "")], action="lock")["msg"]


def test_pin_and_lock_that_contradict_each_other(site: Site, upstream: Upstream) -> None:
    locked(site, "x.deb", "1" * 64)
    message = refused(site.run([wanted(upstream.url, "x.deb")]), site)
    assert "the pin and the lock file contradict each other" in message
    assert upstream.requests == []


ENTRY = "  x.deb:\n    url: https://u.example/x\n    sha256: %s\n    size: 3\n" % SHA256
HEAD = "artifacts_lock_version: 1\nartifacts:\n"


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("", 1, "the file is empty"),
        ("- a\n", 1, "the file must be a mapping"),
        (HEAD + "<<<<<<< HEAD\n" + ENTRY, 3, "a merge conflict was left in the file"),
        (HEAD + "\tx: 1\n", 3, "not valid YAML"),
        (HEAD.replace("1", "2") + ENTRY, 1, "lock version 2; this Slipway reads 1"),
        ("artifacts:\n" + ENTRY, 1, "the file lacks artifacts_lock_version"),
        (
            HEAD + ENTRY.replace(SHA256, SHA256[:-1]),
            5,
            "sha256 of x.deb must be 64 lower-case hexadecimal digits",
        ),
        (HEAD + ENTRY.replace("size: 3", "size: many"), 6, "size of x.deb must be a number of bytes"),
        (HEAD + ENTRY.replace("    size: 3\n", ""), 4, "x.deb lacks size"),
        (HEAD + ENTRY + ENTRY, 7, "x.deb is there twice"),
        (HEAD + ENTRY + "    mirror: x\n", 7, "unknown key 'mirror' in x.deb"),
        (HEAD + ENTRY.replace("x.deb", "../x"), 4, "'../x' is not a file name"),
        (HEAD + ENTRY.replace("https://u.example/x", "[a]"), 4, "url of x.deb must be a single value"),
        (HEAD + "  x.deb: 5\n", 3, "x.deb must be a mapping"),
        ("\x00\x01", 1, "not valid YAML"),
    ],
)
def test_a_corrupt_lock_file_is_named_with_its_line(
    site: Site, upstream: Upstream, text: str, line: int, cause: str
) -> None:
    site.lock.write_text(text)
    message = refused(site.run([wanted(upstream.url)]), site)
    assert "%s, line %d: %s" % (site.lock, line, cause) in message
    assert site.lock.read_text() == text


def test_a_lock_file_that_is_not_text(site: Site) -> None:
    site.lock.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refused(site.run([wanted("https://u.example")]), site)


def test_a_rendered_lock_is_read_back() -> None:
    entries = {
        "a-1.deb": artifact_lock.Entry("https://u.example/a#b", SHA256, 0),
        "B~1+2.tar.gz": artifact_lock.Entry("u", SHA256, 9),
    }
    assert artifact_lock.parse(artifact_lock.render(entries), "lock") == entries
    assert artifact_lock.parse(artifact_lock.render({}), "lock") == {}


@pytest.mark.slow
def test_as_ansible_runs_it(site: Site, upstream: Upstream, tmp_path: Path) -> None:
    """The module as a whole, with Ansible's own argument handling."""
    upstream.offer("/x.deb", {"body": PACKAGE})
    arguments = {
        "artifacts": [wanted(upstream.url, "x.deb")],
        "cache_dir": str(site.cache),
        "lock_file": "none.yml",
    }
    ansible = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        [
            ansible,
            "localhost",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            "ansible_python_interpreter=" + sys.executable,
        ]
        + ["-m", "slipway.containers.artifact", "-a", json.dumps(arguments)],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "playbooks/collections")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert SHA256 in done.stdout
