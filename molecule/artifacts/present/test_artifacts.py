"""What was downloaded on the control node was installed, and no copy of it stays on a node."""


def test_what_was_fetched_is_installed(host):
    wanted = host.ansible.get_variables()["enroot_version"]
    assert host.package("enroot").version.startswith(wanted)


def test_no_copy_stays(host):
    assert host.run("find /var/cache/slipway -type f").stdout == ""
