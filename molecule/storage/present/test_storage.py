"""Storage is chosen, there now and after the next boot."""

FILE = "/usr/local/lib/slipway/tmpfiles.d/storage.conf"


def test_the_directory_is_there(host):
    directory = host.file("/scratch/slipway")
    assert directory.is_directory
    assert (directory.user, directory.mode) == ("root", 0o755)


def test_it_is_there_after_a_boot(host):
    assert host.file(FILE).contains("/scratch/slipway")
    assert host.service("slipway-storage").is_enabled
    assert host.run("systemctl restart slipway-storage").rc == 0
