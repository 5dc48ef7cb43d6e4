from pathlib import Path

import pytest
from cluster.errors import SandboxError
from cluster.settings import MAXIMUM_COMPUTE, from_environment


def read(**environment):
    return from_environment({"HOME": "/h", **environment}, Path("/repo"))


def test_nothing_asked_for_leaves_the_choice_open():
    settings = read(SANDBOX_COMPUTE="", SANDBOX_DISTRIBUTION="", SANDBOX_NAME="")
    assert (settings.name, settings.compute, settings.distribution) == ("slipway", None, None)
    assert settings.state == Path("/repo/.sandbox")
    assert settings.cache == Path("/h/.cache/slipway/sandbox")


def test_another_name_has_a_directory_and_a_label_of_its_own():
    default, other = read(), read(SANDBOX_NAME="bench")
    assert other.state == Path("/repo/.sandbox-bench")
    assert other.identity.startswith("bench-")
    assert default.identity != from_environment({}, Path("/elsewhere")).identity


def test_the_cache_follows_xdg():
    assert read(XDG_CACHE_HOME="/var/cache").cache == Path("/var/cache/slipway/sandbox")


@pytest.mark.parametrize("value", ["1", "2", str(MAXIMUM_COMPUTE)])
def test_a_number_of_compute_nodes_is_taken(value):
    assert read(SANDBOX_COMPUTE=value).compute == int(value)


@pytest.mark.parametrize("value", ["0", "33", "-1", "two", "2.0", " 2", "1e1", "99999"])
def test_any_other_number_is_refused_with_what_is_allowed(value):
    with pytest.raises(SandboxError, match="whole number from 1 to 32") as error:
        read(SANDBOX_COMPUTE=value)
    assert f"SANDBOX_COMPUTE={value} " in str(error.value)


def test_an_unknown_distribution_is_refused_with_what_is_allowed():
    with pytest.raises(SandboxError, match=r"SANDBOX_DISTRIBUTION=jammy .* use trixie or bookworm"):
        read(SANDBOX_DISTRIBUTION="jammy")


@pytest.mark.parametrize("value", ["A", "1x", "a b", "../x", "a" * 21, "x_y"])
def test_a_name_that_containers_cannot_have_is_refused(value):
    with pytest.raises(SandboxError, match="SANDBOX_NAME="):
        read(SANDBOX_NAME=value)
