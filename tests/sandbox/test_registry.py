"""Credentials of registries: who can read them, which runtime finds them, and where they are not shown."""

from __future__ import annotations

import base64

import pytest

from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

# What makes a text look different in Python than in a file.
SECRET = "it's-a-\\secret"
CREDENTIALS = [{"registry": "nvcr.io", "username": "$oauthtoken", "password": SECRET}]
LOGIN = base64.b64encode(f"$oauthtoken:{SECRET}".encode()).decode()
DIRECTORY = "/etc/slipway/registry"
FILES = f"{DIRECTORY}/config.json {DIRECTORY}/enroot/.credentials"
SHOWN = 'echo "$ENROOT_CONFIG_PATH $DOCKER_CONFIG $REGISTRY_AUTH_FILE $APPTAINER_AUTH_FILE"'


def run(sandbox: Sandbox, *arguments: str, **variables: object) -> Run:
    return sandbox.converge("--tags", "registry", *arguments, **variables)


@pytest.fixture(scope="module")
def written(sandbox: Sandbox) -> Run:
    """A run that shows all it can, with credentials for the group of one account."""
    sandbox.settle()
    return run(
        sandbox, "-vvv", "--diff", registry_credentials=CREDENTIALS, registry_credentials_group="member"
    ).succeeded()


def test_no_secret_is_shown(sandbox: Sandbox, written: Run) -> None:
    for node in sandbox.nodes:
        journal = sandbox.ask(node, "journalctl --no-pager --output=cat")
        assert "Invoked with files=" in journal, "the calls of modules are not in the journal: where are they?"
        for text in (written.output, journal):
            assert SECRET not in text and LOGIN not in text and repr(SECRET)[1:-1] not in text
            # As the module was given it.
            assert (
                base64.b64encode(f"machine nvcr.io login $oauthtoken password {SECRET}".encode()).decode()[:40]
                not in text
            )


@pytest.mark.usefixtures("written")
def test_the_group_reads_and_nobody_else(sandbox: Sandbox) -> None:
    for node in sandbox.nodes:
        assert sandbox.ask(node, f"stat -c '%a %U %G' {FILES}").splitlines() == ["640 root member"] * 2
        assert f"password {SECRET}" in sandbox.ask(node, f"cat {FILES}", "member")
        assert sandbox.execute(node, f"cat {FILES}", "guest").code != 0
    assert sandbox.ask("login1", f"bash -lc '{SHOWN}'", "member").split() == [
        f"{DIRECTORY}/enroot",
        DIRECTORY,
        f"{DIRECTORY}/config.json",
        f"{DIRECTORY}/config.json",
    ]
    assert sandbox.ask("login1", f"bash -lc '{SHOWN}'", "guest") == ""


@pytest.mark.usefixtures("written")
def test_what_docker_writes_lies_in_the_users_home(sandbox: Sandbox) -> None:
    """buildx keeps a record of what it did, and users log in; the README has these lines."""
    login = "bash -lc '%s; echo $BUILDX_CONFIG:$DOCKER_CONFIG'"
    assert sandbox.ask("login1", login % "docker ps -q", "member") == f"/home/member/.docker/buildx:{DIRECTORY}"
    own = "install -D -m 0600 $DOCKER_CONFIG/config.json ~/.docker/config.json"
    try:
        sandbox.ask("login1", f"bash -lc '{own}'", "member")
        assert sandbox.ask("login1", login % ":", "member").endswith("buildx:"), "the user's own file wins"
    finally:
        sandbox.ask("login1", "rm -rf ~/.docker", "member")


@pytest.mark.usefixtures("written")
def test_a_job_of_the_group_has_them(sandbox: Sandbox) -> None:
    said = sandbox.ask("login1", "bash -lc 'srun bash -c \"cat $ENROOT_CONFIG_PATH/.credentials\"'", "member")
    assert SECRET in said
    sandbox.runs_containers()


@pytest.mark.usefixtures("written")
def test_without_a_group_they_are_roots(sandbox: Sandbox) -> None:
    run(sandbox, registry_credentials=CREDENTIALS).succeeded()
    run(sandbox, registry_credentials=CREDENTIALS).unchanged()
    for node in sandbox.nodes:
        assert sandbox.ask(node, f"stat -c '%a %U %G' {FILES}").splitlines() == ["600 root root"] * 2
        assert sandbox.execute(node, f"ls {DIRECTORY}", "member").code != 0
    assert sandbox.ask("login1", f"bash -lc '{SHOWN}'", "member") == ""


@pytest.mark.usefixtures("written")
def test_without_credentials_nothing_stays(sandbox: Sandbox) -> None:
    run(sandbox).succeeded()
    for node in sandbox.nodes:
        assert sandbox.ask(node, "ls -d /etc/slipway /etc/profile.d/slipway-registry.sh 2>/dev/null; true") == ""
    run(sandbox).unchanged()
    # The role's own files are gone, and an ordinary run has nothing else to do.
    sandbox.settled = True
