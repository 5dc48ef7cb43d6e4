"""The plugin is registered, and loads for an ordinary user."""

LINK = "/usr/local/lib/slipway/pyxis/spank_pyxis.so"


def test_the_fixed_path_leads_to_a_build(host):
    link = host.file(LINK)
    assert link.is_symlink
    assert host.file(link.linked_to).is_file


def test_srun_knows_containers(host):
    assert "--container-image" in host.run("runuser -u member -- srun --help").stdout
