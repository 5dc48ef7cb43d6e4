"""What the keys of a daemon.json become, as values."""

from __future__ import annotations

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import docker_daemon as tools

NVIDIA = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}, "features": {"cdi": True}}


@pytest.mark.case("P10")
@pytest.mark.parametrize(
    ("found", "settings", "after"),
    [
        ({}, NVIDIA, NVIDIA),
        ({"debug": True}, {"data-root": "/x"}, {"debug": True, "data-root": "/x"}),
        (
            {"runtimes": {"kata": {"path": "kata"}}},
            {"runtimes": {"nvidia": {"path": "n"}}},
            {"runtimes": {"kata": {"path": "kata"}, "nvidia": {"path": "n"}}},
        ),
        # What lies deeper than one level is one value.
        (
            {"runtimes": {"nvidia": {"path": "old", "args": ["-v"]}}},
            {"runtimes": {"nvidia": {"path": "new"}}},
            {"runtimes": {"nvidia": {"path": "new"}}},
        ),
        ({"dns": ["1.1.1.1"]}, {"dns": ["9.9.9.9"]}, {"dns": ["9.9.9.9"]}),
        ({"debug": True, "bip": "x"}, {"debug": None, "none": None}, {"bip": "x"}),
        ({"log-opts": {"a": "1", "b": "2"}}, {"log-opts": {"a": None}}, {"log-opts": {"b": "2"}}),
        ({"log-opts": "text"}, {"log-opts": {"a": "1"}}, {"log-opts": {"a": "1"}}),
        ({}, {"log-opts": {}}, {"log-opts": {}}),
    ],
)
def test_merge(found: dict, settings: dict, after: dict) -> None:
    before = repr(found)
    assert tools.merge(found, settings) == after
    assert repr(found) == before


@pytest.mark.parametrize(
    ("original", "settings"),
    [
        ({}, NVIDIA),
        ({"data-root": "/theirs", "dns": ["1.1.1.1"]}, {"data-root": "/ours", "dns": None}),
        ({"runtimes": {"kata": {"path": "kata"}}}, NVIDIA),
        ({"runtimes": {"nvidia": {"path": "theirs"}}, "features": {}}, NVIDIA),
        ({"features": "no dictionary"}, NVIDIA),
    ],
)
def test_what_is_taken_back_is_what_was_there(original: dict, settings: dict) -> None:
    written = tools.merge(original, settings)
    assert tools.take_back(written, settings, original) == original
    # What somebody added in the meantime stays.
    added = tools.merge(written, {"bip": "10.1.0.1/24", "log-opts": {"max-file": "2"}})
    kept = tools.take_back(added, settings, original)
    assert kept == {**original, "bip": "10.1.0.1/24", "log-opts": {"max-file": "2"}}


def test_two_owners_take_back_each_their_own() -> None:
    ours = {"data-root": "/x", "features": {"containerd-snapshotter": False}}
    both = tools.merge(tools.merge({}, ours), NVIDIA)
    assert tools.take_back(both, ours, {}) == NVIDIA
    assert tools.take_back(both, NVIDIA, {}) == ours


@pytest.mark.parametrize(
    ("before", "after", "keys", "need"),
    [
        ({}, {}, [], "nothing"),
        ({"a": {"x": 1}}, {"a": {"x": 1}}, [], "nothing"),
        ({}, NVIDIA, ["features.cdi", "runtimes.nvidia"], "restart"),
        ({}, {"runtimes": NVIDIA["runtimes"]}, ["runtimes.nvidia"], "reload"),
        ({"debug": True}, {"debug": 1}, ["debug"], "reload"),
        ({"labels": ["a"]}, {"live-restore": True}, ["labels", "live-restore"], "reload"),
        ({"labels": ["a"]}, {"data-root": "/x"}, ["data-root", "labels"], "restart"),
        ({"features": {"buildkit": True}}, {}, ["features.buildkit"], "reload"),
        ({"log-opts": {"max-size": "1m"}}, {"log-opts": {"max-size": "2m"}}, ["log-opts.max-size"], "restart"),
        ({"runtimes": {}}, {"runtimes": {"x": {}}}, ["runtimes", "runtimes.x"], "reload"),
    ],
)
def test_changed_keys_and_what_they_need(before: dict, after: dict, keys: list[str], need: str) -> None:
    assert tools.changed_keys(before, after) == keys
    assert tools.need_of(keys) == need


@pytest.mark.parametrize("content", [b"", b" \n", b"{}", b"\xef\xbb\xbf{}"])
def test_no_keys(content: bytes) -> None:
    assert tools.parse(content) == {}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{\n  "debug": tru\n}', "line 2, column 12"),
        (b'{"debug": true', "line 1, column 15"),
        (b'{}\n{"a": 1}', "line 2, column 1"),
        (b"[]", "found list"),
        (b'"text"', "found str"),
        (b'{\n"a": "\xff"}', "line 2, column 7: byte 0xff"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[" * 100000, "nested too deeply"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(content: bytes, place: str) -> None:
    with pytest.raises(tools.Invalid, match=place):
        tools.parse(content)


def test_rendering_keeps_order_and_letters() -> None:
    text = tools.render({"b": "é", "a": [1]})
    assert text == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'.encode()
    assert list(tools.parse(text)) == ["b", "a"]


def test_secrets_are_found_by_name_and_in_addresses() -> None:
    configuration = {
        "log-opts": {"splunk-token": "tell-nobody", "max-size": "10m"},
        "proxies": {"https-proxy": "http://user:pass@proxy:3128", "no-proxy": "head"},
        "registry-mirrors": ["https://key@mirror"],
    }
    assert sorted(tools.secrets(configuration)) == ["key", "tell-nobody", "user:pass"]


@pytest.mark.parametrize(
    ("name", "succeeded", "failure"),
    [
        ("ok", True, ""),
        ("unknown-key", False, "the following directives don't match any configuration option: log-drivr"),
        ("wrong-type", False, "json: cannot unmarshal number into Go struct field Config.CommonConfig.data-root of "),
        ("flag-and-key", False, "the following directives are specified both as a flag and in the configuration file"),
    ],
)
def test_what_dockerd_says(recorded, name: str, succeeded: bool, failure: str) -> None:
    said = tools.validation_failure(succeeded, recorded("docker-26.1.5/validate-%s.txt" % name))
    assert said is not None
    assert said.startswith(failure) and bool(said) == bool(failure)


def test_an_old_dockerd_judges_nothing(recorded) -> None:
    assert tools.validation_failure(False, recorded("docker-26.1.5/validate-unknown-flag.txt")) is None


def test_a_dockerd_that_says_nothing_has_failed() -> None:
    assert tools.validation_failure(False, "\n") == "it said nothing"
