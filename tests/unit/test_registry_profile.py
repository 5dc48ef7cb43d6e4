"""What a login shell makes of the site's credentials, by the file as it is on a node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "render/golden/any/registry/etc/profile.d/slipway-registry.sh"
SHOW = '; echo "${DOCKER_CONFIG-unset}|$BUILDX_CONFIG"'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's home, beside a site's credentials that the user may read and not write."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "config.json").write_text("{}")
    (tmp_path / "profile").write_text(GOLDEN.read_text().replace("/etc/slipway/registry", str(site)))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def logged_in(home: Path, **environment: str) -> list[str]:
    """Return DOCKER_CONFIG and BUILDX_CONFIG after a login."""
    script = f". {home.parent}/profile{SHOW}"
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(["sh", "-euc", script], env=environment, capture_output=True, text=True, check=False)
    return (done.stdout.strip() or done.stderr).split("|")


def test_the_sites_where_the_user_has_none(home: Path) -> None:
    assert logged_in(home) == [f"{home.parent}/site", f"{home}/.docker/buildx"]


@pytest.mark.parametrize(("given", "kept"), [("{site}", "unset"), ("/elsewhere", "/elsewhere")])
def test_a_file_of_the_users_own_wins(home: Path, given: str, kept: str) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").touch()
    assert logged_in(home)[0] == "unset"
    # Taken along from before.
    assert logged_in(home, DOCKER_CONFIG=given.format(site=home.parent / "site"))[0] == kept


def test_what_the_user_says_wins(home: Path) -> None:
    assert logged_in(home, DOCKER_CONFIG="/mine", BUILDX_CONFIG="/builds") == ["/mine", "/builds"]
