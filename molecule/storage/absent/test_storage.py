"""Nothing of the role is left."""


def test_no_file_is_left(host):
    assert not host.file("/usr/local/lib/slipway/tmpfiles.d").exists
    assert "slipway-storage" not in host.run("systemctl list-unit-files; systemctl list-units --all").stdout


def test_no_data_is_left(host):
    assert not host.file("/scratch/slipway").exists
