"""Apptainer, its source of packages and its settings are gone."""


def test_no_program(host):
    assert not host.exists("apptainer")


def test_nothing_is_left_for_apt_and_shells(host):
    for path in (
        "/etc/apt/preferences.d/slipway-apptainer.pref",
        "/etc/apt/sources.list.d/slipway-apptainer.sources",
        "/etc/profile.d/slipway-apptainer.sh",
        "/usr/local/lib/slipway/tmpfiles.d/apptainer.conf",
    ):
        assert not host.file(path).exists, path
