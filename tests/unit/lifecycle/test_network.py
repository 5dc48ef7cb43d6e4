"""Cases N: what a network may do to a node, tried against a server that does it."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections import Counter
from email.utils import formatdate

import pytest

from lifecycle import fetch, playbook, waits
from lifecycle.fetch import FetchError, Limits
from lifecycle.playbook import Result

case = pytest.mark.case
DATA = b"bundle" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server:
    """Answers every path with what the test says; counts requests."""

    def __init__(self) -> None:
        self.answers: dict[str, list] = {}
        self.asked: Counter = Counter()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked[self.path] += 1
                answers = server.answers[self.path]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(answer):
                    answer(self)
                    return
                code, headers, body = answer
                self.send_response(code)
                for pair in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(*pair)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str) -> str:
        return "http://127.0.0.1:%d%s" % (self.http.server_port, path)


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "bundle.tar"


def get(target, *sources, naps=None, **limits):
    target.parent.mkdir(exist_ok=True)
    naps = naps if naps is not None else []
    return fetch.fetch(list(sources), SHA256, str(target), Limits(**{"retries": 2, **limits}), sleep=naps.append)


GOOD = (200, {}, DATA)


def test_a_good_file_comes_whole_and_is_counted(server, target):
    server.answers["/b"] = [GOOD]
    fetched = get(target, server.url("/b"))
    assert target.read_bytes() == DATA and (fetched.attempts, fetched.bytes) == (1, len(DATA))
    assert server.asked["/b"] == 1


@case("N6")
def test_names_that_cannot_be_resolved_yet_are_waited_for(hook):
    hook.node.known_hosts = set()
    hook.clock.later[45] = lambda: hook.node.known_hosts.add("github.com")
    outcome = hook("user-data")
    assert outcome.code == 0 and not outcome.report["warnings"]
    assert 45 <= outcome.clock.time < 60, "no fixed sleep: it goes on as soon as there is an answer"


@case("N7")
def test_names_that_are_never_resolved_stop_nothing_that_is_there(hook):
    hook.node.known_hosts = set()
    outcome = hook("user-data")
    assert outcome.code == 0 and outcome.runs
    assert "github.com cannot be resolved after 90 s: going on with what is here" in outcome.text


@case("N8")
@pytest.mark.parametrize("code", [403, 429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_with_a_spread_then_the_mirror_is_asked(server, target, code, form):
    asked = "7" if form == "seconds" else formatdate(time.time() + 8, usegmt=True)
    server.answers["/b"] = [(code, {"Retry-After": asked}, b"")]
    server.answers["/mirror"] = [GOOD]
    naps = []
    assert get(target, server.url("/b"), server.url("/mirror"), naps=naps).attempts == 4
    assert len(naps) == 2 and all(6 <= nap <= 10.5 for nap in naps) and naps[0] != naps[1]
    server.answers["/mirror"] = [(503, {}, b"")]
    with pytest.raises(FetchError, match=r"/b: HTTP .*tried 3 times.*; .*/mirror: HTTP 503 .*tried 3 times"):
        get(target, server.url("/b"), server.url("/mirror"))


@case("N9")
def test_a_missing_file_is_not_asked_for_again(server, target):
    server.answers["/slipway-1.tar"] = [(404, {}, b"")]
    with pytest.raises(FetchError, match=r"/slipway-1\.tar: HTTP 404"):
        get(target, server.url("/slipway-1.tar"))
    assert server.asked["/slipway-1.tar"] == 1


@case("N10")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {}, b"<!DOCTYPE html><html>login</html>"), "an HTML page came"),
        ((200, {"Content-Length": "6000"}, DATA[:100]), "cut off after 100 of 6000 bytes"),
        ((200, {}, b"x" * len(DATA)), "sha256 is .* expected %s" % SHA256),
        ((200, {}, b""), "sha256 is"),
    ],
)
def test_what_is_not_the_file_is_rejected_and_tried_again(server, target, answer, said):
    server.answers["/b"] = [answer]
    with pytest.raises(FetchError, match=said):
        get(target, server.url("/b"))
    assert server.asked["/b"] == 3 and list(target.parent.iterdir()) == []
    server.answers["/b"] = [answer, GOOD]
    assert get(target, server.url("/b")).attempts == 2
    assert [path.name for path in target.parent.iterdir()] == ["bundle.tar"]


@case("N11")
def test_a_server_that_hangs_is_given_up(server, target):
    def hang(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "6000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(2)

    server.answers["/b"] = [hang]
    begin = time.monotonic()
    with pytest.raises(FetchError, match=r"no answer in time|connection failed"):
        get(target, server.url("/b"), retries=0, read_seconds=0.3)
    assert time.monotonic() - begin < 2


@case("N11")
def test_a_server_that_drips_is_given_up_too(server, target):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "6000")
        handler.end_headers()
        for _second in range(30):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)

    server.answers["/b"] = [drip]
    begin = time.monotonic()
    with pytest.raises(FetchError, match="too slow"):
        get(target, server.url("/b"), retries=0, read_seconds=0.5)
    assert time.monotonic() - begin < 2


@case("N12")
def test_a_mirror_is_the_only_host_that_is_waited_for(hook):
    (hook.site / "group_vars/all/artifacts.yml").write_text("artifact_mirror: https://user:pw@mirror.example:8443/x\n")
    hook.node.known_hosts = {"mirror.example"}
    outcome = hook("user-data")
    assert outcome.code == 0 and not outcome.report["warnings"]
    hook.node.known_hosts = set()
    outcome = hook("user-data")
    assert "mirror.example cannot be resolved" in outcome.text and "github" not in outcome.text


@case("N12")
def test_a_bundle_points_every_role_at_itself(tmp_path, hook):
    outcome = hook("user-data", environment={"SLIPWAY_BUNDLE_DIRECTORY": str(bundle(tmp_path))})
    assert outcome.runs[0]["variables"]["artifact_mirror"] == str(tmp_path / "unpacked/artifacts")
    assert outcome.runs[0]["variables"]["pyxis_prebuilt_directory"] == str(tmp_path / "unpacked/plugins")
    assert outcome.runs[0]["variables"]["artifacts_package_repository"] == str(tmp_path / "unpacked/packages")


@case("N13")
def test_with_artifacts_in_the_bundle_no_network_is_waited_for(tmp_path, hook):
    hook.node.known_hosts = set()
    outcome = hook("user-data", environment={"SLIPWAY_BUNDLE_DIRECTORY": str(bundle(tmp_path))})
    assert outcome.code == 0 and outcome.clock.time == 0
    assert "wait for the network" not in [step["name"] for step in outcome.report["steps"]]


def bundle(tmp_path):
    """An unpacked bundle whose code is this repository."""
    from lifecycle.layout import COLLECTION, REPOSITORY

    directory = tmp_path / "unpacked"
    (directory / COLLECTION).parent.mkdir(parents=True)
    (directory / COLLECTION).symlink_to(REPOSITORY)
    for name in ("artifacts/a.deb", "plugins/spank_pyxis-x.so", "packages/Packages"):
        (directory / name).parent.mkdir()
        (directory / name).write_text("x")
    (directory / "unpacked.json").write_text(json.dumps({"digest": "ab" * 32, "built": 0, "version": "0"}))
    return directory


@case("N14")
def test_an_optional_component_that_cannot_be_had_leaves_the_node_degraded(hook):
    hook.node.write("/opt/slurm/bin/srun", "")
    failure = Result("failed", play="Install and configure", role="slipway.containers.pyxis", task="x", message="no y")
    hook.results = [failure, Result("successful")]
    outcome = hook("user-data", "--required", "enroot")
    assert outcome.code == 0 and outcome.report["degraded"] == ["pyxis"] and outcome.report["outcome"] == "degraded"
    assert [run["variables"].get("pyxis_state") for run in outcome.runs] == [None] + ["unmanaged"] * 2
    assert "pyxis: x: no y (not required" in outcome.text and "without pyxis" in outcome.last


@case("N19")
def test_the_first_requests_of_300_nodes_are_spread(hook):
    shares = sorted(waits.spread(10) for _node in range(300))
    most = max(sum(begin <= share < begin + 1 for share in shares) for begin in range(10))
    assert shares[0] >= 0 and shares[-1] <= 10 and most < 60
    outcome = hook("user-data", "--spread-seconds", "10")
    assert 0 < outcome.clock.naps[0] <= 10
    assert hook("user-data", "--spread-seconds", "0").clock.naps[-1] == 0


@case("N19")
def test_retries_of_nodes_that_failed_together_are_spread_too():
    delays = [fetch.pause(3, 0, Limits()) for _node in range(100)]
    assert all(2 <= delay <= 4 for delay in delays) and len(set(delays)) > 90
    assert all(30 <= fetch.pause(1, 30, Limits()) <= 37.5 for _node in range(50))
    assert fetch.pause(50, 0, Limits()) <= 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("", 0), ("12", 12), ("soon", 0), ("-3", 0), ("Thu, 01 Jan 1970 00:01:00 GMT", 50)],
)
def test_retry_after_is_read_in_both_forms(header, seconds):
    assert fetch.retry_after(header, 10.0) == seconds


@case("N20")
def test_nothing_of_a_run_names_a_package_index():
    from lifecycle.layout import REPOSITORY

    words = ("pypi", "galaxy.ansible", "pip install", "pip3", "git clone", "ansible-galaxy")
    shipped = [
        path
        for path in (REPOSITORY / "lifecycle").rglob("*")
        if path.is_file() and path.suffix in (".py", ".sh", ".in", ".yml", ".cfg") and "bundle" not in path.parts
    ]
    assert len(shipped) > 15
    assert [(path.name, word) for path in shipped for word in words if word in path.read_text().lower()] == []


@case("N21")
def test_needrestart_may_list_and_never_restart():
    from lifecycle.settings import plain_environment

    plain = plain_environment({"NEEDRESTART_MODE": "a"}, "/h", "/c")
    assert plain["NEEDRESTART_MODE"] == "l" and plain["NEEDRESTART_SUSPEND"] == "1"


@case("N23")
def test_a_bucket_in_another_region_is_named(server, target):
    server.answers["/b"] = [(301, {"x-amz-bucket-region": "eu-west-1"}, b"")]
    with pytest.raises(FetchError, match="the bucket is in eu-west-1"):
        get(target, server.url("/b"))
    assert server.asked["/b"] == 1


@case("N23")
@pytest.mark.parametrize(
    ("text", "said", "transient"),
    [
        ("An error occurred (403) when calling the HeadObject operation: Forbidden", "lacks s3:GetObject", False),
        ("An error occurred (AccessDenied) when calling the GetObject operation", "lacks s3:GetObject", False),
        ("An error occurred (404) when calling the HeadObject operation: Key does not exist", "not there", False),
        ('Connect timeout on endpoint URL: "https://b.s3.amazonaws.com/k"', "S3 endpoint in the VPC", True),
        ("Unable to locate credentials", "the node has no role", False),
        ("something else", "aws failed: fatal error: something else", True),
    ],
)
def test_refusal_and_silence_of_s3_are_told_apart(text, said, transient):
    failure = fetch.s3_failure("\nfatal error: " + text + "\n")
    assert said in str(failure) and failure.transient is transient


@case("N23")
def test_the_aws_program_is_started_in_the_buckets_region(tmp_path, target, monkeypatch):
    (tmp_path / "aws").write_text('#!/bin/sh\necho "$@" >%s/said\nprintf "%%s" data >"$7"\n' % tmp_path)
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/bin:/usr/bin" % tmp_path)
    monkeypatch.setattr(fetch, "bucket_region", lambda bucket: {"b": "eu-west-1"}[bucket])
    target.parent.mkdir()
    fetch.fetch(["s3://b/k"], hashlib.sha256(b"data").hexdigest(), str(target), Limits(retries=0))
    assert (tmp_path / "said").read_text().endswith("--region eu-west-1\n") and target.read_bytes() == b"data"


def test_a_403_without_a_wait_is_a_refusal(server, target):
    server.answers["/b?X-Amz-Signature=secret"] = [(403, {}, b"")]
    with pytest.raises(FetchError, match="HTTP 403: refused") as failed:
        get(target, server.url("/b?X-Amz-Signature=secret"))
    assert "secret" not in str(failed.value) and server.asked.total() == 1


def test_the_message_of_a_failed_task_is_its_most_telling_field():
    assert playbook.failure_message({"msg": "non-zero return code", "stderr": "boom"}) == "boom"
    assert playbook.failure_message({"censored": "hidden by no_log", "msg": "x"}) == "hidden by no_log"
    assert playbook.failure_message({}) == "no reason was given"
