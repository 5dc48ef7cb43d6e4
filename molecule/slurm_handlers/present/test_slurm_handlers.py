"""Slurm's daemons have read what is registered."""


def plugins_in_memory(host):
    return host.run("cat /proc/$(pgrep -ox slurmd)/maps 2>/dev/null | grep -c spank_pyxis").stdout.strip()


def test_slurmd_has_the_plugin_in_memory(host):
    if host.run("pgrep -x slurmd").rc == 0:
        assert int(plugins_in_memory(host)) > 0
