"""Cases D, I, P and U: a node on which somebody has set up something already, and how a hook ends on it.

What modules and roles do there is tested beside them, with the number of the case.
"""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.slipway.containers.plugins.module_utils import preflight
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Role

from lifecycle.layout import REPOSITORY
from lifecycle.playbook import Result

case = pytest.mark.case
REFUSED = (
    "/etc/docker/daemon.json: line 2, column 12: Expecting value. Correct it; nothing was changed, and a copy is kept "
    "at /var/lib/slipway/refused/daemon.json.1"
)
STORAGE = {
    "root": "/opt/sagemaker/slipway",
    "mount_point": "/opt/sagemaker",
    "rejected": [{"path": "/opt/dlami/nvme", "reason": "nothing is mounted there"}],
}


def event(task: str, **outcome: object) -> dict[str, object]:
    """What ansible-runner says of a task that succeeded."""
    return {"event": "runner_on_ok", "event_data": {"task": task, "res": outcome}}


@case("D10")
def test_the_report_has_the_one_place_of_all_data(hook):
    result = Result("successful")
    result.take(event("Take the first usable candidate", ansible_facts={"storage": STORAGE}))
    result.take(event("Look at the node", ansible_facts={"packages": {}}))
    hook.results = [result, Result("successful")]
    assert hook("user-data").report["storage"] == STORAGE
    hook.results = [Result("successful")]
    assert hook("user-data").report["storage"] == {}


@case("I14")
def test_a_daemon_json_that_is_refused_ends_the_hook_with_its_place(hook):
    failure = Result("failed", role="slipway.containers.docker", task="Keep our keys of daemon.json", message=REFUSED)
    hook.results = [failure]
    outcome = hook("user-data")
    assert outcome.code == 1 and len(outcome.runs) == 1
    assert "docker: Keep our keys of daemon.json: /etc/docker/daemon.json: line 2, column 12" in outcome.last
    assert "a copy is kept at /var/lib/slipway/refused/daemon.json.1" in outcome.last


@case("P8", "P9")
@pytest.mark.parametrize(
    ("facts", "found", "reason", "remedy"),
    [
        (
            {"packages": {"podman-docker": [{"version": "5.4.2"}]}},
            "package podman-docker on the node",
            "gives the command docker to podman",
            "apt-get remove podman-docker",
        ),
        (
            {"files": {"/snap/bin/docker": {"type": "link"}}},
            "path /snap/bin/docker on the node",
            "is a Docker of its own",
            "snap remove docker",
        ),
    ],
)
def test_another_docker_is_told_before_anything_changes(hook, facts, found, reason, remedy):
    data = yaml.safe_load((REPOSITORY / "roles/docker/vars/main.yml").read_text())
    role = Role("docker", {}, {"docker_state": "present"}, data)
    facts = {"distribution": "Debian", "distribution_major_version": "12", "packages": {}, **facts}
    (finding,) = preflight.judge_component(role, {"ansible_facts": facts}, lambda value: value, set())
    assert finding.variable == found and reason in finding.problem and remedy in finding.allowed
    assert "docker_state: unmanaged" in finding.allowed
    looked_at = (REPOSITORY / "playbooks/preflight.yml").read_text()
    assert all(item["path"] in looked_at for item in data["__docker_conflicts"] if "path" in item)
    hook.results = [Result("failed", play="Preflight", task="Stop", message="%s: %s" % (found, finding.problem))]
    outcome = hook("user-data")
    assert outcome.code == 4 and found in outcome.last and reason in outcome.last


@case("U1")
def test_an_account_that_comes_later_fails_no_hook(hook):
    result = Result("successful", changed=True)
    result.take(event("Keep the accounts in the group", unknown=["later"], warnings=["later: no such account"]))
    hook.results = [result]
    outcome = hook("user-data")
    assert outcome.code == 0 and outcome.report["warnings"] == ["later: no such account"]
