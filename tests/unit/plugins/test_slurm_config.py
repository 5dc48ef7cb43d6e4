"""slurm.conf as admins write it."""

from ansible_collections.slipway.containers.plugins.module_utils import slurm_config


def test_settings():
    text = (
        "clustername=x # comment\n  PlugStackConfig = /a/plug.conf\r\n"
        "SlurmctldParameters=idle_on_node_suspend,\\\n"
        "enable_configless\nNodeName=c1 Port=7 PluginDir=/no\n"
        'PluginDir="/opt/s"\n#PluginDir=/commented\nPluginDir=/b\n'
    )
    values = slurm_config.settings(slurm_config.logical_lines(text))
    assert values["plugstackconfig"] == "/a/plug.conf"
    assert values["plugindir"] == "/b"
    assert "port" not in values
    assert slurm_config.enables_configless(values)


def test_configless_is_a_word_of_its_own():
    assert not slurm_config.enables_configless({"slurmctldparameters": "no_enable_configless_x"})
    assert not slurm_config.enables_configless({})


def test_includes_are_read_relative_and_absolute_and_end():
    files = {
        "/etc/slurm/a.conf": "include /x/b.conf\nA=1",
        "/x/b.conf": "PlugStackConfig=/p",
        "/etc/slurm/l.conf": "Include l.conf",
    }
    lines = slurm_config.flatten(
        "Include a.conf\nINCLUDE missing.conf\nInclude l.conf\n", "/etc/slurm", files.get
    )
    assert lines[:2] == ["PlugStackConfig=/p", "A=1"]
    assert "INCLUDE missing.conf" in lines


def test_redirected_beats_every_own_line():
    lines = ['A=1 plugstackconfig="/a b" B=2', "PlugStackConfig = /c"]
    assert (
        slurm_config.redirected(lines, "/t/plugstack.conf") == "A=1  B=2\nPlugStackConfig=/t/plugstack.conf\n"
    )
