"""HyperPod with its classic OnCreate: an image made first, then hooks on all nodes at once, and what comes later."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cluster.settings import Settings

from tests.lifecycle import images
from tests.lifecycle.harness import IMAGE, Ended, Nodes, bring_up
from tests.lifecycle.hyperpod import (
    AGENTS,
    COMPUTES,
    DAEMONS,
    DATA,
    ETC,
    FIRST,
    HOOK,
    HOOK_FILE,
    IMAGES,
    IMAGES_LINE,
    IMAGES_PLUGIN,
    LATE,
    LATER,
    LISTS,
    OLD_IMAGE,
    OPTION,
    OURS,
    PLUGSTACK,
    PREFIX,
    REWRITE,
    RUNNING,
    SCONTROL_HOOK,
    TUNE,
    prepare,
)
from tests.lifecycle.server import Server
from tests.sandbox.harness import driver

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(settings: Settings, server: Server) -> Iterator[Nodes]:
    """The nodes, none of them laid out."""
    try:
        yield bring_up(settings, server, "hyperpod")
    finally:
        if os.environ.get("KEEP_SANDBOX") != "1":
            driver("down", {"SANDBOX_NAME": settings.name})


@dataclass(frozen=True)
class Image:
    """A machine on which an image was made, and the units that ran there before and after."""

    ended: Ended
    before: str
    after: str
    machine: str


@pytest.fixture(scope="module")
def image(made: Nodes) -> Image:
    """The image hook on a machine that is to become an image; its plugin goes into the bundle of all others."""
    before, machine = made.sandbox.ask(LATER, RUNNING), made.sandbox.ask(LATER, "cat /etc/machine-id")
    ended = made.make_image(LATER)
    return Image(ended, before, made.sandbox.ask(LATER, RUNNING), machine)


@pytest.fixture(scope="module")
def agents(made: Nodes, image: Image) -> str:
    """What the agent's files are before any hook; all nodes are laid out."""
    for node in FIRST:
        prepare(made, node)
    return made.sandbox.ask("head", AGENTS)


@pytest.fixture(scope="module")
def born(made: Nodes, agents: str) -> dict[str, Ended]:
    """OnCreate on all nodes at once, while no registry answers."""
    made.server.forget()
    made.sandbox.alter("head", "systemctl stop docker-registry")
    ended = made.run_everywhere(FIRST, "on-create", HOOK, made.proxy())
    made.sandbox.alter("head", "systemctl start docker-registry")
    return ended


@pytest.mark.case("R33")
def test_an_image_is_installed_and_nothing_of_it_runs(made: Nodes, image: Image) -> None:
    assert image.after == image.before
    assert image.ended.report["role"] == "image"
    assert made.sandbox.ask(LATER, "systemctl is-enabled docker") == "enabled"
    assert made.sandbox.ask(LATER, "command -v docker enroot apptainer").count("\n") == 2
    assert made.sandbox.ask(LATER, "ls /etc/ssh/ssh_host_* 2>/dev/null | wc -l") == "0"
    assert made.sandbox.ask(LATER, "wc -c < /etc/machine-id") == "0"


@pytest.mark.case("R33")
def test_a_machine_made_from_the_image_is_itself_and_runs_what_was_installed(made: Nodes, image: Image) -> None:
    made.boot(LATER)
    assert re.fullmatch("[0-9a-f]{32}", found := made.sandbox.ask(LATER, "cat /etc/machine-id"))
    assert found != image.machine
    assert made.service(LATER, "docker") == "active"


def test_an_image_is_sealed_once(image: Image) -> None:
    assert [step["name"] for step in image.ended.report["steps"]].count("playbook seal_image") == 1


@pytest.mark.case("N22")
def test_hooks_that_start_together_all_succeed(born: dict[str, Ended]) -> None:
    for ended in born.values():
        ended.succeeded()
        assert [step["name"] for step in ended.report["steps"]].count("playbook start_slurm") == 1


def test_a_container_job_runs_on_every_compute(made: Nodes, born: dict[str, Ended]) -> None:
    made.wait_idle(COMPUTES)
    for node in COMPUTES:
        made.container_job(node)


def test_roles_and_daemons_are_those_of_the_platform(made: Nodes, born: dict[str, Ended]) -> None:
    assert {node: born[node].report["role"] for node in FIRST} == {
        "head": "controller", "login1": "login", "compute1": "compute", "compute2": "compute",
    }  # fmt: skip
    assert made.service("head", "slurmctld") == "active"
    assert made.service("head", "slurmd") == "inactive"
    for node in ("login1", *COMPUTES):
        assert made.service(node, "slurmd") == "active"
        assert made.sandbox.ask(node, f"ls {PLUGSTACK} 2>/dev/null | wc -l") == "0"


@pytest.mark.case("S14")
def test_what_slurmd_starts_finds_scontrol(made: Nodes, born: dict[str, Ended]) -> None:
    assert made.sandbox.execute("compute1", "command -v scontrol").code != 0
    made.sandbox.alter("compute1", f"echo '{SCONTROL_HOOK}' > {HOOK_FILE}; chmod 0755 {HOOK_FILE}")
    job = f"/opt/slurm/bin/srun -w compute1 --container-image={IMAGE} sh -c 'echo $FOUND'"
    assert made.sandbox.ask("login1", job, "member") == "/opt/slurm/bin/scontrol"
    made.sandbox.alter("compute1", f"rm {HOOK_FILE}")


@pytest.mark.case("N12")
def test_no_public_host_was_asked_for_anything(made: Nodes, born: dict[str, Ended]) -> None:
    assert made.server.refused == []
    assert made.server.served == []


@pytest.mark.case("I1")
def test_a_second_run_changes_nothing(made: Nodes, born: dict[str, Ended]) -> None:
    before = {node: made.sandbox.ask(node, DAEMONS) for node in FIRST}
    for node in FIRST:
        made.run(node, "on-create", HOOK, made.proxy()).unchanged().quick()
    assert {node: made.sandbox.ask(node, DAEMONS) for node in FIRST} == before


@pytest.mark.case("S12")
def test_an_agent_that_rewrites_its_files_takes_nothing_away(made: Nodes, agents: str, born: dict[str, Ended]) -> None:
    assert made.sandbox.ask("head", AGENTS) == agents, "no hook wrote into a file of the agent's"
    made.sandbox.alter("head", REWRITE)
    made.wait_idle(COMPUTES)
    made.container_job("compute1")
    made.run("head", "on-create", HOOK, made.proxy()).unchanged()


@pytest.fixture(scope="module")
def unlucky(made: Nodes, born: dict[str, Ended]) -> list[Ended]:
    """Runs on a node added later: somebody's list of packages is a page, then somebody holds a package."""
    made.renew(LATER)
    prepare(made, LATER)
    page = "echo '<html><body>404</body></html>'"
    made.sandbox.alter(LATER, f"apt-mark hold docker.io; {page} > {LISTS}/vendor.list; {page} > {OURS}")
    ended = [made.run(LATER, "on-create", HOOK, made.proxy())]
    made.sandbox.alter(LATER, f"rm {LISTS}/vendor.list")
    ended.append(made.run(LATER, "on-create", HOOK, made.proxy()))
    made.sandbox.alter(LATER, "apt-mark unhold docker.io")
    return ended


@pytest.mark.case("N4")
def test_a_list_that_apt_cannot_read_is_named_and_ours_is_mended(made: Nodes, unlucky: list[Ended]) -> None:
    assert unlucky[0].code == 1
    assert f"apt can read none of its sources because of {LISTS}/vendor.list" in unlucky[0].last_line
    assert "<html>" not in made.sandbox.ask(LATER, f"cat {OURS}")


@pytest.mark.case("N18")
def test_a_package_that_is_held_is_named(unlucky: list[Ended]) -> None:
    assert unlucky[1].code == 1
    assert "docker.io is held at its version on the node" in unlucky[1].last_line


@pytest.mark.case("S4")
def test_a_node_that_slurm_conf_does_not_name_yet(made: Nodes, unlucky: list[Ended]) -> None:
    made.run(LATER, "on-create", HOOK, made.proxy()).succeeded()
    # Only now the platform's agent names it.
    widen = f"sed -i 's/compute\\[1-2\\]/compute[1-3]/' {ETC}/slurm.conf {ETC}/gres.conf"
    made.sandbox.alter("head", f"{widen}; /opt/slurm/bin/scontrol reconfigure")
    made.wait_idle([*COMPUTES, LATER])
    made.container_job(LATER)


@pytest.mark.case("I12")
def test_a_replaced_node_finds_its_old_data_and_the_registration_stays(made: Nodes, born: dict[str, Ended]) -> None:
    line = made.sandbox.ask("head", f"cat {PLUGSTACK}; stat -c %i {PLUGSTACK}")
    made.sandbox.alter("compute2", f"{OLD_IMAGE}; systemctl stop docker.socket docker containerd")
    made.sandbox.alter("compute2", f"tar -C {DATA} --xattrs -cf /images/old.tar .")
    made.renew("compute2")
    made.sandbox.alter("compute2", f"mkdir {DATA}; tar -C {DATA} --xattrs -xf /images/old.tar; rm /images/old.tar")
    prepare(made, "compute2")
    made.run("compute2", "on-create", HOOK, made.proxy()).succeeded()
    assert made.sandbox.ask("compute2", "docker images --quiet old:1")
    made.wait_idle(COMPUTES)
    made.container_job("compute2")
    assert made.sandbox.ask("head", f"cat {PLUGSTACK}; stat -c %i {PLUGSTACK}") == line


@pytest.mark.case("S7")
def test_computes_that_fetched_the_configuration_first_get_the_option(made: Nodes, born: dict[str, Ended]) -> None:
    # As OnInitComplete finds them where the head is the last: Slurm runs, and nobody has registered anything.
    made.sandbox.alter("head", f": > {PLUGSTACK}; /opt/slurm/bin/scontrol reconfigure")
    made.until("login1", f"! {OPTION}")
    ended = made.run("head", "on-init-complete", f"{PREFIX}/on_init_complete.sh", made.proxy()).succeeded()
    asked = [task for task in ended.report["tasks"] if task["name"].endswith("Have Slurm read it")]
    assert [(task["changed"], task["attempts"]) for task in asked] == [(True, 1)]
    made.until("login1", OPTION)
    made.wait_idle(COMPUTES)
    for node in COMPUTES:
        made.container_job(node)


@pytest.mark.case("S2")
def test_slurmctld_that_is_starting_gets_the_registration(made: Nodes, born: dict[str, Ended]) -> None:
    # systemd calls it active while it answers nobody yet.
    place = "/etc/systemd/system/slurmctld.service.d"
    made.sandbox.alter("head", f"mkdir -p {place}; echo '{LATE}' > {place}/late.conf; systemctl daemon-reload")
    made.sandbox.alter("head", f": > {PLUGSTACK}; systemctl restart slurmctld")
    ended = made.run("head", "on-init-complete", f"{PREFIX}/on_init_complete.sh", made.proxy()).succeeded()
    made.sandbox.alter("head", f"rm -r {place}; systemctl daemon-reload")
    asked = [task for task in ended.report["tasks"] if task["name"].endswith("Have Slurm read it")]
    assert [task["changed"] for task in asked] == [True]
    made.until("login1", OPTION)
    made.wait_idle(COMPUTES)
    made.container_job("compute1")


@pytest.mark.case("P2")
def test_what_the_image_has_set_up_is_adopted(made: Nodes, born: dict[str, Ended]) -> None:
    made.renew(LATER)
    prepare(made, LATER)
    for node in (*FIRST, LATER):
        images.bring_pyxis(made, node, IMAGES_PLUGIN)
        made.sandbox.alter(node, "mkdir -p -m 0755 /run/pyxis")
    images.bring_enroot(made, LATER)
    made.sandbox.alter(LATER, TUNE)
    made.sandbox.alter("head", f"echo '{IMAGES_LINE}' > {PLUGSTACK}; /opt/slurm/bin/scontrol reconfigure")
    looks = {"head": f"cat {PLUGSTACK}; stat -c %i {PLUGSTACK}", LATER: IMAGES}
    before = {node: made.sandbox.ask(node, look) for node, look in looks.items()}
    for node in looks:
        made.run(node, "on-init-complete", f"{PREFIX}/on_init_complete.sh", made.proxy()).succeeded()
    assert {node: made.sandbox.ask(node, look) for node, look in looks.items()} == before
    assert made.sandbox.ask(LATER, "grep ^ENROOT_ALLOW_HTTP /etc/enroot/enroot.conf"), "the site asks for it"
    made.until("login1", OPTION)
    made.wait_idle(COMPUTES)
    made.container_job("compute1")
