"""Each situation recorded from the real programs has its own cause; pyxis's outer lines never are one."""

from __future__ import annotations

from pathlib import Path

import pytest

from validate import causes, diagnosis

RECORDED = Path(__file__).parents[2] / "fixtures" / "recorded" / "pyxis-0.24.0"
# File -> words of the cause.
CAUSES = {
    "command-missing": "has no nosuchcommand",
    "container-mounts-missing": "missing on this node: /no/such",
    "data-unwritable": "may not create /nowhere",
    "hook-fails": "/etc/enroot/hooks.d/50-fail.sh",
    "image-404": "no image nosuchimage",
    "lostcap-aufs2ovlfs": "file capabilities",
    "mountsd-missing-source": "/no/such/source",
    "name-unknown": "pyxis_nope",
    "no-enroot": "enroot is not on this node",
    "no-shell-in-image": "has no /bin/sh",
    "node-required-missing": "slurmd ended",
    "registry-401": "refuses the account",
    "registry-unknown": "does not answer this node",
    "removed": "not registered",
    "required-missing-salloc": "cannot load Slurm's plugin stack",
    "slurmd-not-restarted-container": "cannot load Slurm's plugin stack",
    "sqsh-missing": "not on this node",
}
OUTER = (
    "couldn't start container", "task_init() failed", "Failed to invoke spank plugin stack", "unusual entrypoint",
    "with error code",
)  # fmt: skip


@pytest.mark.parametrize("name", CAUSES)
def test_a_recorded_failure_has_its_cause_and_a_fix(name):
    found = diagnosis.of_container((RECORDED / f"{name}.txt").read_text())
    assert CAUSES[name] in found.cause
    assert found.fix and found.who in ("admin", "user", "operator")
    assert not any(line in found.cause + found.line for line in OUTER)


def test_every_recording_is_either_diagnosed_or_known_to_say_nothing():
    """truncated-norestart hangs and prints nothing of use."""
    assert {path.stem for path in RECORDED.glob("*.txt")} - set(CAUSES) == {"truncated-norestart"}


# What a start of a damaged image's programs ends with: the C library's words for what execve returns.
DAMAGED = "pyxis:     enroot-switchroot: failed to execute: /bin/sh: {}"


@pytest.mark.parametrize("words", ["Accessing a corrupted shared library", "Exec format error"])
def test_a_damaged_image_is_the_cause(words):
    found = diagnosis.of_container(DAMAGED.format(words))
    assert "the image file is damaged" in found.cause and words in found.line


# enroot's own words (common.sh), and those of the stand-in.
@pytest.mark.parametrize(
    "said", ["[ERROR] Command not found: unsquashfs", "[ERROR] No such file or directory: unsquashfs"]
)
def test_a_program_that_enroot_needs_is_named(said):
    assert "the program unsquashfs" in diagnosis.of_container(f"pyxis:     {said}\nslurmstepd: error: x").cause


# Recorded from srun and salloc 24.11.5 while slurmd was stopped, hung (SIGSTOP), and the node drained.
LAUNCHES = [
    (
        "srun: error: Task launch for StepId=6.0 failed on node n1: Communication connection failure",
        "slurmd does not run",
    ),
    ("no answer within 47 s", "hangs"),
    ("srun: error: Unable to create step for job 7: Job/step already completing or completed", "took the allocation"),
    # A prolog that ends with 1 on one node; the node stays as it is.
    (
        "srun: error: Task launch for StepId=75.0 failed on node n1: Job prolog failed",
        "the prolog fails on this node",
    ),
    # The plugin's file taken away on one node: Slurm refuses every job there, and drains it by itself.
    ("srun: error: task 0 launch failed: Plugin initialization failed", "plugin stack"),
    ("", "never answered"),
]


# Slurm's, srun's and Python's own words in their sources; none of these was recorded by us.
LAUNCHES += [
    ("no answer within 47 s", "SrunPortRange"),
    ("slurmstepd: error: TaskProlog failed status=1\nsrun: error: n1: task 0: Exited with exit code 1", "TaskProlog"),
    ("Fatal Python error: init_fs_encoding: failed to get the Python codec", "python3 of the node is damaged"),
    ("ModuleNotFoundError: No module named 'encodings'", "python3 of the node is damaged"),
    ('  File "<string>", line 1\nSyntaxError: invalid syntax', "or too old"),
]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("no answer within 130.2 s", "a hook, the registry, or the disk"),
        ("pyxis: importing docker image: head:5000/x:1\nno answer within 130.2 s", "a hook, the registry, or the disk"),
        ("pyxis:     [ERROR] Command not found: unsquashfs\nno answer within 130.2 s", "the program unsquashfs"),
        ("slurmstepd: error: run_command: task_prolog can not be executed (/etc/slurm/task_prolog.sh)", "TaskProlog"),
    ],
)
def test_a_container_that_hangs_or_whose_task_prolog_fails_has_a_cause(said, words):
    assert words in diagnosis.of_container(said).cause


# Slurm's own words (slurm_errno.c, plugin.c, io.c); not recorded by us.
LAUNCHES += [
    ("srun: error: task 0 launch failed: User not found on host", "is not known on this node"),
    ("srun: error: Task launch for StepId=1.0 failed on node n1: Invalid job credential", "the clocks differ"),
    ("slurmstepd: error: write /var/spool/slurmd/x: No space left on device", "a file system of the node is full"),
    ("slurmstepd: error: Could not open stdin file /dev/null: Permission denied", "may not open /dev/null"),
    ("srun: error: n1: Slurmd could not create a batch directory or file", "its spool directory"),
    (
        "slurmstepd: error: cannot create task context for task/cgroup",
        "Slurm itself is missing or damaged on this node: task/",
    ),
    (
        "slurmstepd: error: plugin_load_from_file: dlopen(/usr/lib/slurm/task_cgroup.so): cannot open shared object",
        "Slurm itself is missing or damaged on this node: /usr/lib/slurm/task_cgroup.so",
    ),
    ("slurmstepd: error: Detected 1 oom_kill event in StepId=9.0.", "memory was used up"),
]


# The forms are those of slurmstepd, libslurm and cgroup_v2.so 24.11.5 and 22.05.8, read out of the programs, with the
# C library's words for the error put in by us. Bash 5.2's and Python 3.11's were recorded.
LAUNCHES += [
    ("slurmstepd: error: child fork: Resource temporarily unavailable", "no process can be started"),
    ("/bin/bash: fork: retry: Resource temporarily unavailable", "no process can be started"),
    ("RuntimeError: can't start new thread", "no process can be started"),
    (
        "slurmstepd: error: common_cgroup_create: unable to create cgroup '/sys/fs/cgroup/x' : Read-only file system",
        "cannot make the cgroup of a job",
    ),
    (
        "slurmstepd: error: common_cgroup_create: unable to create cgroup '/sys/fs/cgroup/x' : No space left on device",
        "cannot make the cgroup of a job",
    ),
    ("slurmstepd: error: connect io: No route to host", "a firewall refuses it"),
    (
        "srun: error: Task launch for StepId=6.0 failed on node n1: Incompatible versions of client and server code",
        "upgraded half",
    ),
    (
        "slurmstepd: error: pam_open_session: Permission denied\nslurmstepd: error: error in pam_setup",
        "PAM refuses the account's session on this node, which UsePAM asks for: Permission denied",
    ),
    ("slurmstepd: error: execve(): python3: Permission denied", "may not execute it"),
    ("slurmstepd-n1: error: couldn't chdir to `/': Permission denied: going to /tmp instead", "users cannot enter /"),
    ("srun: error: fork: Resource temporarily unavailable", "the submit host lets this account start no more"),
    (
        "srun: fatal: _msg_thr_create: pthread_create error Resource temporarily unavailable",
        "the submit host lets this account start no more",
    ),
    ("slurmstepd: error: execve(): python3: No such file or directory", "has no python3"),
    (
        "srun: error: Task launch for StepId=6.0 failed on node n1: Zero Bytes were transmitted or received",
        "munge does not run here, or refuses",
    ),
    ("srun: error: Munge decode failed: Invalid credential", "munge refuses: other key"),
    ("slurmstepd: error: write /home/member/x: Disk quota exceeded", "quota is used up"),
    ("srun: error: Unable to create step for job 7: Error generating job credential", "controller does not know it"),
    ("srun: error: Task launch for StepId=6.0 failed on node n1: Invalid user id", "missing on the controller"),
    # Advice of slurmd's for another module, and a busy socket of munge's.
    ("If using PrologFlags=Contain for pam_slurm_adopt, proctrack/cgroup is required.", "never answered"),
    (
        'Munge encode failed: Failed to connect to "/run/munge/munge.socket.2": Resource temporarily unavailable',
        "munge refuses",
    ),
]


@pytest.mark.parametrize(("said", "words"), LAUNCHES)
def test_a_step_that_does_not_begin_has_a_cause(said, words):
    assert words in diagnosis.of_launch(said).cause


def test_the_line_that_is_shown_is_the_one_that_holds_what_was_matched():
    refused = "slurmstepd: error: plugin_load_from_file: dlopen(/usr/lib/slurm/task_cgroup.so): cannot open"
    said = f"srun: job 4 queued and waiting for resources\n{refused}\nsrun: error: n1: task 0: Exited with exit code 1"
    assert diagnosis.of_launch(said).line == refused


@pytest.mark.parametrize("words", ["Invalid user id", "Error generating job credential"])
def test_an_account_that_the_controller_does_not_know_is_refused_everywhere(words):
    found = diagnosis.of(f"salloc: error: Job submit/allocate failed: {words}\n", causes.REFUSED)
    assert found is not None and "missing on the controller" in found.cause and words in found.line


def test_a_refused_allocation_has_a_cause():
    said = "salloc: Required node not available (down, drained or reserved)\nsalloc: Pending job allocation 8\n"
    found = diagnosis.of(said, causes.REFUSED)
    assert found is not None and "drained" in found.cause


# Slurm's own words (slurm_errno.c, and squeue's reason); not recorded by us.
@pytest.mark.parametrize(
    "said",
    ["Requested time limit is invalid (missing or exceeds some limit)", "salloc: job 8 queued: PartitionTimeLimit"],
)
def test_a_time_limit_that_is_too_short_has_a_cause(said):
    found = diagnosis.of(f"salloc: error: Job submit/allocate failed: {said}\n", causes.REFUSED)
    assert found is not None and "less time than the run asks for" in found.cause


POLICY = (
    "salloc: error: Job submit/allocate failed: Job violates accounting/QOS policy (job submit limit, user's size "
    "and/or time limits)"
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"salloc: error: QOSMaxSubmitJobPerUserLimit\n{POLICY}", "jobs: QOSMaxSubmitJobPerUserLimit"),
        (POLICY, "a limit of the account"),
        (
            "salloc: error: Unable to allocate resources: Connection timed out\nReason=Priority",
            "jobs of others come first",
        ),
        ("salloc: Pending job allocation 8\nReason=AssocGrpGRES", "stops the run's jobs: AssocGrpGRES"),
        ("Unable to allocate resources: Job can not start due to maintenance reservation.", "reserved for others"),
        ("Required partition not available (inactive or drain)", "the partition is down"),
    ],
)
def test_a_limit_of_the_account_is_no_fault_of_a_node(said, words):
    found = diagnosis.of(said, causes.REFUSED)
    assert found is not None and words in found.cause and found.who == "operator"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("[ERROR] URL https://nvcr.io/v2/x/manifests/1 returned error code: 403 Forbidden", "refuses it this image"),
        ("[ERROR] URL https://nvcr.io/v2/ returned error code: 502 Bad Gateway", "HTTP 502"),
        ("curl: (60) SSL certificate problem: self-signed certificate in certificate chain", "does not trust"),
        ("curl: (5) Could not resolve proxy: nosuch.invalid", "whose name is not found: nosuch.invalid"),
        ("curl: (56) CONNECT tunnel failed, response 407", "the proxy of this node refuses the way"),
        ("curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", "speaks no TLS"),
        ("curl: (26) .netrc parser error", "file of credentials"),
        ("[ERROR] Could not parse digest information from https://x/v2/y/manifests/1", "no architecture of this node"),
        ("curl: (28) Connection timed out after 30001 milliseconds", "packets are lost"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=9.0.", "memory was used up"),
    ],
)
def test_what_curl_and_the_kernel_say_has_causes_of_its_own(said, words):
    assert words in diagnosis.of_container(f"pyxis: importing docker image: x\npyxis:     {said}\n").cause


# GNU tar 1.34 with zstd 1.5.4 on a layer that was cut, was none, was empty, and had other bytes in it; Bash 5.2 and
# coreutils 9.1 without /dev/fd: all recorded. The last ones are the C library's words in those of coreutils.
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("/*stdin*\\ : Read error (39) : premature end \ntar: Unexpected EOF in archive", "a layer of the image"),
        ("zstd: /*stdin*\\: unsupported format \ntar: Child returned status 1", "a layer of the image"),
        ("zstd: /*stdin*\\: unexpected end of file \ntar: Child returned status 1", "a layer of the image"),
        ("/*stdin*\\ : Decoding error (36) : Restored data doesn't match checksum ", "a layer of the image"),
        ("bash: /dev/fd/63: No such file or directory", "/dev/fd is missing"),
        ("sort: cannot read: /dev/fd/63: No such file or directory", "/dev/fd is missing"),
        ("bash: fork: retry: Resource temporarily unavailable", "no process can be started"),
        ("mkdir: cannot create directory '/scratch/enroot': Read-only file system", "is read-only"),
        ("write /scratch/enroot/x: Disk quota exceeded", "quota is used up"),
    ],
)
def test_what_import_and_unpacking_say_has_causes_of_its_own(said, words):
    found = diagnosis.of_container(f"pyxis: importing docker image: x\npyxis:     {said}\nerror: spank: x\n")
    assert words in found.cause


# Words of pyxis's config.c, and of Slurm's around them.
@pytest.mark.parametrize("rules", [causes.ASKING, causes.CONTAINER, causes.LAUNCH, causes.REFUSED])
def test_an_argument_that_pyxis_does_not_know_is_named_before_the_plugin_that_does_not_load(rules):
    said = (
        "srun: error: pyxis: unknown configuration option: runtime_pat=/x\nsrun: error: Plug-in initialization failed"
    )
    found = diagnosis.of(said, rules)
    assert found is not None and "does not know: unknown configuration option: runtime_pat=/x" in found.cause


# Words of Slurm's sources, and of munge's library; sites print the third.
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "scontrol: error: s_p_parse_file: cannot stat file /gone/slurm.conf: Permission denied, retrying in 1sec",
            "to read /gone/slurm.conf, which is not there",
        ),
        ("scontrol: error: Parsing error at unrecognized key: Foo", "does not understand: Foo"),
        (
            "sinfo: error: fetch_config: DNS SRV lookup failed\nsinfo: error: _establish_config_source: failed",
            "knows no controller from which to fetch it",
        ),
        ('scontrol: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2"', "munge does not run"),
        ("slurm_load_ctl_conf error: Protocol authentication error", "another munge key"),
        ("error: Munge decode failed: Rewound credential\nerror: Protocol authentication error", "or another time"),
        ("Slurmctld(primary) at head is DOWN", None),
    ],
)
def test_what_keeps_a_host_from_asking_is_told_from_a_controller_that_is_down(said, words):
    found = diagnosis.of(said, causes.ASKING)
    assert (found and words in found.cause) if words else found is None


def test_the_fixes_of_drained_nodes_can_be_filled_in():
    assert all(rule.fix.format(name="n1") for rule in causes.DRAINED)


@pytest.mark.parametrize("rules", [causes.ASKING, causes.CONTAINER, causes.LAUNCH, causes.REFUSED, causes.DRAINED])
def test_no_rule_matches_what_a_good_start_prints(rules):
    good = "pyxis: importing docker image: head:5000/x:1\npyxis: imported docker image: head:5000/x:1\n"
    assert diagnosis.of(good, rules) is None
