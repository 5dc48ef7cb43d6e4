"""Slurm's daemons have forgotten what is no longer registered."""


def test_slurmd_has_no_plugin_in_memory(host):
    if host.run("pgrep -x slurmd").rc == 0:
        maps = host.run("cat /proc/$(pgrep -ox slurmd)/maps").stdout
        assert "libslurm" in maps
        assert "spank_pyxis" not in maps
