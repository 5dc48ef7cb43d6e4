"""slurm_facts on hosts made of files, with programs that say what real ones said."""

import os
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import slurm_gather, slurm_host
from ansible_collections.slipway.containers.plugins.module_utils.command import Output

DEAD = Output(None, "", "")


class Programs:
    """Answers by the program's name and its first argument; everything else is dead."""

    def __init__(self, **answers):
        self.answers = {"slurmd": Output(0, "slurm 24.11.5\n", ""), **answers}
        self.calls = []

    def __call__(self, words, timeout, environment=None, user=None, directory=None):
        self.calls.append((words, timeout, environment))
        return self.answers.get(os.path.basename(words[0]), DEAD)


@pytest.fixture
def host(tmp_path):
    """Make a host of files; a value of None is an executable, a tuple a symbolic link."""

    def build(files, path="", **answers):
        for name, text in files.items():
            target = tmp_path / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, tuple):
                target.symlink_to(text[0] if name.startswith("/proc") else f"{tmp_path}{text[0]}")
                continue
            if isinstance(text, bytes):
                target.write_bytes(text)
            else:
                target.write_text(text or "")
            target.chmod(0o755 if text is None else 0o644)
        for directory, _names, _files in os.walk(tmp_path):
            os.chmod(directory, 0o755)
        return slurm_host.Host(str(tmp_path), Programs(**answers), path)

    return build


def process(number, name, program, arguments=(), **environment):
    """Return the files of a running process."""
    pairs = "\0".join(f"{key}={value}" for key, value in environment.items())
    place = f"/proc/{number}"
    return {
        f"{place}/comm": name + "\n",
        f"{place}/cmdline": "\0".join([program, *arguments]),
        f"{place}/environ": pairs,
        f"{place}/exe": (program,),
    }


PROGRAMS = {f"/opt/slurm/bin/{name}": None for name in ("srun", "scontrol", "squeue")} | {
    "/opt/slurm/sbin/slurmd": None
}


def test_nothing_installed(host):
    facts = slurm_gather.gather(host({}), True)
    assert facts["installed"] is False and facts["roster"] is None and facts["config"]["source"] == "none"
    assert facts["daemons"] == dict.fromkeys(("slurmctld", "slurmd", "sackd", "slurmdbd"), "absent")


def test_local_configuration_in_a_prefix(host):
    files = {
        **PROGRAMS,
        "/opt/slurm/etc/slurm.conf": "ClusterName=a\nInclude more.conf\n",
        "/opt/slurm/etc/more.conf": "PlugStackConfig=plug/stack.conf\nPluginDir=/opt/slurm/plugins:/x\n",
        "/opt/slurm/etc/plug/stack.conf": "required /nonexistent/spank_pyxis.so runtime_path=/r\n",
        "/opt/slurm/include/slurm/spank.h": "",
        "/opt/slurm/include/slurm/slurm.h": "#define SLURM_VERSION_NUMBER 0x180b05\n",
        "/proc/self/mountinfo": "1 0 0:1 / / rw - ext4 /dev/a rw\n"
        "2 1 0:2 / /opt/slurm rw - nfs4 head:/x rw\n",
    }
    facts = slurm_gather.gather(host(files), False)
    assert (facts["prefix"], facts["version"], facts["series"], facts["reconfigure"]) == (
        "/opt/slurm",
        "24.11.5",
        "24.11",
        "scontrol",
    )
    assert facts["config"] == {
        "source": "local",
        "file": "/opt/slurm/etc/slurm.conf",
        "directory": "/opt/slurm/etc",
        "shared": True,
    }
    assert facts["plugin_directory"] == "/opt/slurm/plugins"
    assert facts["headers"] == {"directory": "/opt/slurm/include", "version": "24.11.5"}
    assert facts["plugstack"]["file"] == "/opt/slurm/etc/plug/stack.conf"
    assert facts["plugstack"]["registrations"][0]["arguments"] == ["runtime_path=/r"]
    assert any("does not exist" in entry["problem"] for entry in facts["plugstack"]["problems"])


def test_whose_files_slurmd_may_load(monkeypatch):
    accounts = {"root": SimpleNamespace(pw_uid=0), "slurm": SimpleNamespace(pw_uid=64030)}
    monkeypatch.setattr(slurm_gather.pwd, "getpwnam", lambda name: accounts[name])
    ours = {0, os.geteuid()}
    assert slurm_gather.trusted_owners({}) == slurm_gather.trusted_owners({"slurmuser": "nobody-knows"}) == ours
    assert slurm_gather.trusted_owners({"slurmuser": "slurm"}) == {*ours, 64030}


def test_exported_directory_is_shared(host):
    found = host({"/var/lib/nfs/etab": "/opt/slurm\t*(rw)\n", "/opt/slurm/etc/x": ""})
    assert slurm_gather.is_shared(found, "/opt/slurm/etc")
    assert not slurm_gather.is_shared(found, "/opt/slurmother")


def test_symlinked_prefix_and_running_daemon_win_over_path(host):
    files = {f"/opt/slurm-24.11.5/{name}": None for name in ("bin/srun", "bin/scontrol", "sbin/slurmd")}
    files |= {"/opt/slurm": ("/opt/slurm-24.11.5",), "/usr/bin/srun": None}
    files |= process(7, "slurmd", "/opt/slurm/sbin/slurmd", ["-f", "/etc/own.conf"], SLURM_CONF="/ignored")
    files["/etc/own.conf"] = "ClusterName=x\n"
    facts = slurm_gather.gather(host(files, path="/usr/bin"), False)
    assert facts["prefix"] == "/opt/slurm-24.11.5"
    assert facts["config"]["file"] == "/etc/own.conf"
    assert facts["daemons"]["slurmd"] == "active"


def test_configless_by_the_running_daemon_and_a_stale_local_file(host):
    files = {
        **PROGRAMS,
        **process(9, "slurmd", "/opt/slurm/sbin/slurmd", ["--systemd", "--conf-server", "head:6817"]),
        "/run/slurm/conf/slurm.conf": "SlurmctldParameters=enable_configless\n",
        "/opt/slurm/etc/slurm.conf": "ClusterName=stale\n",
    }
    facts = slurm_gather.gather(host(files), False)
    assert facts["config"]["source"] == "configless" and facts["config"]["directory"] == "/run/slurm/conf"
    assert facts["configless_server"] is True
    assert facts["plugstack"]["problems"][-1]["file"] == "/opt/slurm/etc/slurm.conf"


def test_configless_by_the_environment_file_before_the_first_start(host):
    files = {**PROGRAMS, "/etc/default/slurmd": 'SLURMD_OPTIONS="--conf-server head"\n'}
    facts = slurm_gather.gather(host(files), False)
    assert facts["config"] == {"source": "configless", "file": None, "directory": None, "shared": False}
    assert facts["plugstack"] == {"file": None, "registrations": [], "problems": [], "loaded": None}


def test_path_built_into_the_library(host):
    files = {
        **PROGRAMS,
        "/opt/slurm/lib/slurm/libslurmfull.so": b"x\0/run/slurm/conf/slurm.conf\0/weird/dir/slurm.conf\0y",
        "/weird/dir/slurm.conf": "A=1\n",
        "/etc/slurm/slurm.conf": "A=2\n",
    }
    facts = slurm_gather.gather(host(files), False)
    assert facts["config"]["file"] == "/weird/dir/slurm.conf"
    assert facts["plugin_directory"] == "/opt/slurm/lib/slurm"


def test_pcs_takes_the_newest(host):
    files = {
        f"/opt/aws/pcs/scheduler/slurm-{series}/bin/srun": None for series in ("24.05", "24.11", "23.11")
    }
    facts = slurm_gather.gather(host(files, srun=Output(0, "slurm 24.11.5", "")), False)
    assert facts["prefix"] == "/opt/aws/pcs/scheduler/slurm-24.11"
    assert facts["version"] == "24.11.5"


def test_dead_controller_is_asked_once_and_is_null(host):
    found = host({**PROGRAMS, **process(7, "slurmd", "/opt/slurm/sbin/slurmd")})
    facts = slurm_gather.gather(found, True)
    assert facts["roster"] is None and facts["running_jobs"] is None
    assert sum(timeout for _words, timeout, _environment in found.run.calls) < 16
    assert not any(words[0].endswith("squeue") for words, _timeout, _environment in found.run.calls)


def test_jobs_by_controller_and_by_step(host):
    files = {**PROGRAMS, **process(7, "slurmd", "/opt/slurm/sbin/slurmd", ["-N", "n7"])}
    files |= process(8, "slurmstepd", "slurmstepd: [12.0]") | process(
        10, "slurmstepd", "slurmstepd: [12.extern]"
    )
    found = host(files, squeue=Output(0, "12\n13\n", ""))
    assert slurm_gather.gather(found, False)["running_jobs"] == 2
    assert found.run.calls[-1][0][3] == "n7"
    assert (
        slurm_gather.gather(host({}, squeue=Output(1, "", "slurm_load_jobs error")), False)["running_jobs"]
        == 1
    )


def test_roster(host, recorded):
    found = host(PROGRAMS, scontrol=Output(0, recorded("slurm-24.11.5/show-nodes.txt"), ""))
    assert len(slurm_gather.gather(found, True)["roster"]) == 5


def test_daemon_in_a_container_is_not_this_hosts(host):
    files = {**PROGRAMS, **process(7, "slurmd", "/opt/slurm/sbin/slurmd")}
    files |= {"/proc/7/ns/pid": ("pid:[2]",), "/proc/self/ns/pid": ("pid:[1]",)}
    assert slurm_gather.gather(host(files), False)["daemons"]["slurmd"] == "absent"


def test_unit_states(host):
    block = "Id={}.service\nLoadState=loaded\nActiveState={}\n"
    units = block.format("slurmctld", "active") + "\n" + block.format("slurmd", "failed")
    facts = slurm_gather.gather(host(PROGRAMS, systemctl=Output(0, units, "")), False)
    assert facts["daemons"] == {
        "slurmctld": "active",
        "slurmd": "inactive",
        "sackd": "absent",
        "slurmdbd": "absent",
    }


def test_options_of_a_daemon_that_is_not_installed_say_nothing(host):
    files = {
        **PROGRAMS,
        "/etc/default/sackd": 'SACKD_OPTIONS="--conf-server head"\n',
        "/opt/slurm/etc/slurm.conf": "ClusterName=c\n",
    }
    absent = "".join(f"Id={name}.service\nLoadState=not-found\n\n" for name in ("slurmd", "sackd"))
    facts = slurm_gather.gather(host(files, systemctl=Output(0, absent, "")), False)
    assert facts["config"]["source"] == "local"
