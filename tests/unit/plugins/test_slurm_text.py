"""What Slurm and systemd print."""

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import slurm_text

UNITS = """\
Id=slurmd.service
LoadState=loaded
ActiveState=active
Environment=SLURM_CONF=/opt/slurm/etc/slurm.conf "A=b c"
EnvironmentFiles=/etc/default/slurmd (ignore_errors=yes)
EnvironmentFiles=/etc/sysconfig/slurmd (ignore_errors=yes)
ExecStart={ path=/usr/sbin/slurmd ; argv[]=/usr/sbin/slurmd --systemd $SLURMD_OPTIONS ; pid=0 }

Id=slurmctld.service
LoadState=not-found
ActiveState=inactive
"""


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("slurm-wlm 24.11.5\n", "24.11.5"),
        ("slurm 25.05.0-0rc1", "25.05.0"),
        ("warning\nslurm 23.02.7\n", "23.02.7"),
        ("srun: fatal: no configuration", None),
        ("", None),
    ],
)
def test_version(text, version):
    assert slurm_text.parse_version(text) == version


def test_header_version():
    assert slurm_text.parse_header_version("#define SLURM_VERSION_NUMBER 0x180b05\n") == "24.11.5"
    assert slurm_text.parse_header_version("#define SLURM_VERSION_NUM(a,b,c) 1") is None


@pytest.mark.parametrize(
    ("version", "means"), [("23.11.0", "scontrol"), ("23.02.9", "restart"), ("24.05", "scontrol")]
)
def test_reconfigure_from_23_11(version, means):
    assert slurm_text.reconfigure_means(version) == means


def test_units():
    units = slurm_text.parse_units(UNITS)
    assert slurm_text.unit_state(units["slurmd"]) == "active"
    assert slurm_text.unit_state(units["slurmctld"]) == "absent"
    assert len(units["slurmd"]["EnvironmentFiles"]) == 2
    variables = slurm_text.parse_environment(units["slurmd"]["Environment"][0])
    assert variables == {"SLURM_CONF": "/opt/slurm/etc/slurm.conf", "A": "b c"}
    options = slurm_text.unit_arguments(
        units["slurmd"]["ExecStart"][0], {"SLURMD_OPTIONS": "--conf-server head -N c1"}
    )
    assert slurm_text.parse_daemon_options(options) == {"conf_server": "head", "node": "c1"}


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["-D", "-f", "/a/slurm.conf"], {"file": "/a/slurm.conf"}),
        (["-Df", "/a"], {"file": "/a"}),
        (["-f/a"], {"file": "/a"}),
        (["--conf-server=h:6817"], {"conf_server": "h:6817"}),
        (["-N"], {"node": ""}),
        ([], {}),
    ],
)
def test_daemon_options(words, options):
    assert slurm_text.parse_daemon_options(["slurmd", *words]) == options


def test_environment_file_that_is_broken_counts_where_it_is_not():
    text = '# comment\nSLURMD_OPTIONS="--conf-server head"\nBAD=\'unterminated\nexport X=1\n'
    assert slurm_text.parse_environment(text) == {"SLURMD_OPTIONS": "--conf-server head", "X": "1"}


def test_roster_recorded(recorded):
    nodes = {node["name"]: node for node in slurm_text.parse_nodes(recorded("slurm-24.11.5/show-nodes.txt"))}
    assert sorted(nodes) == ["c1", "c2", "c3", "c4", "cloud1"]
    assert nodes["c2"]["reason"] == "gpu fell off bus State=IDLE XID=79"
    assert (nodes["c2"]["state"], nodes["c2"]["drained"], nodes["c2"]["down"]) == ("unknown", True, False)
    assert (nodes["c3"]["state"], nodes["c3"]["down"], nodes["c3"]["reason"]) == ("down", True, "maintenance")
    assert nodes["c1"]["address"] == "10.0.0.1"
    assert nodes["cloud1"]["flags"] == ["cloud", "powered_down"]


STAMP = " [root@2026-11-22T19:15:41]"


BEHIND = ("", " Comment=rack 7", " InstanceId=i-0c1 InstanceType=p5.48xlarge", " ReservationName=maintenance")


@pytest.mark.parametrize(
    ("stamp", "more"), [*((STAMP, more) for more in (*BEHIND, " Later=25.11")), *(("", more) for more in BEHIND)]
)
@pytest.mark.parametrize("reason", ["disk swap", "fell off bus State=IDLE XID=79", "slipway-validate:N-12 a: no"])
def test_what_slurm_says_behind_a_reason_is_not_of_it(reason, stamp, more):
    (node,) = slurm_text.parse_nodes(f"NodeName=c1 State=IDLE+DRAIN Partitions=main  Reason={reason}{stamp}{more}")
    assert node["reason"] == reason


def test_a_reason_may_speak_of_a_comment():
    (node,) = slurm_text.parse_nodes(f"NodeName=c1 State=IDLE Reason=said Comment=x [yes]{STAMP} Comment=y [a@b]")
    assert node["reason"] == "said Comment=x [yes]"


@pytest.mark.parametrize(
    ("text", "base", "flags"),
    [
        ("DOWN*+DRAIN", "down", ["not_responding", "drain"]),
        ("IDLE~", "idle", ["powered_down"]),
        ("mixed-", "mixed", ["planned"]),
        ("ALLOCATED", "allocated", []),
    ],
)
def test_states(text, base, flags):
    assert slurm_text.split_state(text) == (base, flags)


def test_garbage_is_no_roster():
    assert slurm_text.parse_nodes("slurm_load_node error: Unable to contact slurm controller\n") == []
