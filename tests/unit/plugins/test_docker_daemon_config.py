"""The module docker_daemon_config on real files; dockerd is a script that speaks as the recorded one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible_collections.slipway.containers.plugins.module_utils import docker_process, docker_unit

from .conftest import RECORDED

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of root")

Run = Callable[..., dict[str, Any]]
OURS = {"data-root": "/scratch/docker", "log-opts": {"max-size": "10m"}}
THEIRS = '{"log-opts": {"max-file": "2"},   "bip": "10.1.0.1/24"}'
RUNTIME = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "etc/docker/daemon.json"


@pytest.fixture
def run(run_module: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(docker_process, "find_program", lambda: "")

    def call(
        settings: dict[str, Any], state: str = "present", check: bool = False, owner: str = "docker"
    ) -> dict[str, Any]:
        return run_module(
            "docker_daemon_config",
            check=check,
            settings=settings,
            owner=owner,
            records=str(tmp_path / "records"),
            state=state,
            path=str(file),
            backup_directory=str(tmp_path / "refused"),
            originals=str(tmp_path / "originals"),
        )

    return call


def write(file: Path, text: str | bytes, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)


def keys(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def picture(path: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(entry.relative_to(path)): (entry.lstat().st_mode, entry.read_bytes())
        for entry in path.rglob("*")
        if entry.is_file()
    }


def test_a_file_from_nothing_and_back(run: Run, file: Path, tmp_path: Path) -> None:
    foretold = run(OURS, check=True)
    assert not file.exists()
    result = run(OURS)
    assert foretold == result
    assert (result["changed"], result["need"], result["validated"]) == (True, "restart", False)
    assert result["changed_keys"] == ["data-root", "log-opts.max-size"]
    assert keys(file) == OURS
    assert file.stat().st_mode & 0o7777 == 0o644
    again = run(OURS)
    assert (again["changed"], again["changed_keys"], again["need"]) == (False, [], "nothing")
    assert run(OURS, "absent")["changed"]
    assert not file.exists()
    assert not (tmp_path / "originals").exists()
    assert not run(OURS, "absent")["changed"]


@pytest.mark.case("I14")
def test_an_admins_file_is_merged_and_comes_back_byte_for_byte(run: Run, file: Path, tmp_path: Path) -> None:
    write(file, THEIRS, 0o640)
    before = picture(tmp_path)
    run(OURS)
    assert keys(file) == {
        "log-opts": {"max-file": "2", "max-size": "10m"},
        "bip": "10.1.0.1/24",
        "data-root": "/scratch/docker",
    }
    assert file.stat().st_mode & 0o7777 == 0o640
    assert run(OURS, "absent", check=True)["changed"]
    assert run(OURS, "absent")["changed_keys"] == ["data-root", "log-opts.max-size"]
    assert picture(tmp_path) == before


def test_two_callers_own_different_keys(run: Run, file: Path, tmp_path: Path) -> None:
    write(file, THEIRS)
    before = picture(tmp_path)
    run(OURS)
    assert run(RUNTIME, owner="toolkit")["need"] == "reload"
    assert not run(OURS)["changed"]
    run(OURS, "absent")
    assert keys(file) == {**json.loads(THEIRS), **RUNTIME}
    assert not run(RUNTIME, owner="toolkit")["changed"]
    run(RUNTIME, "absent", owner="toolkit")
    assert picture(tmp_path) == before


def test_two_callers_where_there_was_no_file(run: Run, file: Path, tmp_path: Path) -> None:
    run(OURS)
    run(RUNTIME, owner="toolkit")
    run(RUNTIME, "absent", owner="toolkit")
    assert keys(file) == OURS
    run(OURS, "absent")
    assert not file.exists()
    assert not (tmp_path / "originals").exists()


def test_what_an_admin_added_stays(run: Run, file: Path) -> None:
    run(OURS)
    write(file, json.dumps({**OURS, "debug": True}))
    assert not run(OURS)["changed"]
    run(OURS, "absent")
    assert keys(file) == {"debug": True}


def test_absent_touches_nothing_that_was_never_written(run: Run, file: Path) -> None:
    write(file, json.dumps(OURS))
    assert not run(OURS)["changed"]
    assert not run(OURS, "absent")["changed"]
    assert keys(file) == OURS


def test_a_deleted_file_comes_back(run: Run, file: Path) -> None:
    write(file, THEIRS)
    run(OURS)
    file.unlink()
    assert run(OURS, "absent")["changed"]
    assert file.read_text() == THEIRS


def test_a_changed_key_is_repaired(run: Run, file: Path) -> None:
    run(OURS)
    write(file, json.dumps({**OURS, "data-root": "/elsewhere"}))
    assert run(OURS)["changed_keys"] == ["data-root"]
    assert keys(file) == OURS


def test_a_link_is_replaced_and_comes_back(run: Run, file: Path, tmp_path: Path) -> None:
    file.parent.mkdir(parents=True)
    (file.parent / "site.json").write_text(THEIRS)
    file.symlink_to("site.json")
    run(OURS)
    assert not file.is_symlink() and keys(file)["bip"] == "10.1.0.1/24"
    run(OURS, "absent")
    assert file.is_symlink() and file.read_text() == THEIRS
    assert not (tmp_path / "originals").exists()


@pytest.mark.case("I14")
@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_invalid_file_is_refused_kept_and_untouched(run: Run, file: Path, tmp_path: Path, state: str) -> None:
    write(file, '{\n  "debug": tru\n}\n')
    checked = run(OURS, state, check=True)
    assert checked["failed"] and not (tmp_path / "refused").exists()
    result = run(OURS, state)
    assert result["failed"] and not result["changed"]
    assert "line 2, column 12" in result["msg"] and str(file) in result["msg"] and result["backup"] in result["msg"]
    assert Path(result["backup"]).read_bytes() == file.read_bytes() == b'{\n  "debug": tru\n}\n'
    assert run(OURS, state)["backup"] == result["backup"]
    assert len(list((tmp_path / "refused").iterdir())) == 1


def test_a_directory_in_the_way_is_refused(run: Run, file: Path) -> None:
    file.mkdir(parents=True)
    assert "is not a file: move it away" in run(OURS)["msg"]


def test_a_change_that_a_reload_makes_effective_keeps_the_time(run: Run, file: Path) -> None:
    write(file, THEIRS)
    os.utime(file, (1000000000, 1000000000))
    assert run(RUNTIME, owner="toolkit")["need"] == "reload"
    assert file.stat().st_mtime == 1000000000
    assert run(OURS)["need"] == "restart"
    assert file.stat().st_mtime > 1000000000


def test_no_secret_is_shown(run: Run, file: Path) -> None:
    write(file, '{"log-opts": {"splunk-token": "tell-nobody"}}')
    result = run({"proxies": {"http-proxy": "http://user:pass@proxy:3128"}})
    assert result["changed_keys"] == ["proxies.http-proxy"]
    assert "pass" not in str(result) and "tell-nobody" not in str(result)
    assert keys(file)["proxies"]["http-proxy"] == "http://user:pass@proxy:3128"


def test_a_key_that_leaves_the_inventory_leaves_the_file(run: Run, file: Path, tmp_path: Path) -> None:
    write(file, THEIRS)
    before = picture(tmp_path)
    run({**OURS, "mtu": 1400, "bip": None, "log-opts": {"max-size": "10m", "max-file": "5"}})
    assert "bip" not in keys(file) and keys(file)["log-opts"] == {"max-file": "5", "max-size": "10m"}
    foretold = run(OURS, check=True)
    result = run(OURS)
    assert result == foretold and result["changed_keys"] == ["bip", "log-opts.max-file", "mtu"]
    assert keys(file) == {**OURS, "bip": "10.1.0.1/24", "log-opts": {"max-file": "2", "max-size": "10m"}}
    assert not run(OURS)["changed"]
    run(OURS, "absent")
    assert picture(tmp_path) == before


def test_absent_takes_back_what_left_the_inventory_before(run: Run, file: Path, tmp_path: Path) -> None:
    run({**OURS, "mtu": 1400})
    assert (tmp_path / "records" / str(file).lstrip("/")).stat().st_mode & 0o777 == 0o600
    assert run(OURS, "absent")["changed_keys"] == ["data-root", "log-opts.max-size", "mtu"]
    assert not file.exists() and not (tmp_path / "originals").exists() and not (tmp_path / "records").exists()


@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_an_admin_changed_since_stays(run: Run, file: Path, state: str) -> None:
    run({**OURS, "mtu": 1400, "debug": True})
    write(file, json.dumps({**OURS, "mtu": 9000}))
    run(OURS, state)
    assert keys(file) == ({**OURS, "mtu": 9000} if state == "present" else {"mtu": 9000})


def test_what_was_there_before_is_not_ours_to_take_back(run: Run, file: Path) -> None:
    write(file, json.dumps({"mtu": 1400}))
    assert not run({"mtu": 1400})["changed"]
    assert not run({})["changed"]
    assert keys(file) == {"mtu": 1400}


def test_a_key_that_another_owner_has_stays_that_ones(run: Run, file: Path) -> None:
    run({**OURS, "features": {"cdi": True}})
    run({"features": {"cdi": True}}, owner="toolkit")
    assert not run({**OURS, "features": {}})["changed_keys"]
    run({"features": {"cdi": True}}, "absent", owner="toolkit")
    assert "cdi" not in keys(file).get("features", {})


def test_absent_leaves_a_key_that_this_owner_never_wrote(run: Run, file: Path) -> None:
    run(OURS)
    write(file, json.dumps({**OURS, **RUNTIME}))
    assert not run(RUNTIME, "absent", owner="toolkit")["changed"]
    assert keys(file) == {**OURS, **RUNTIME}


def test_a_damaged_record_takes_nothing_back(run: Run, file: Path, tmp_path: Path) -> None:
    run({**OURS, "mtu": 1400})
    (tmp_path / "records" / str(file).lstrip("/")).write_text("{")
    assert not run(OURS)["changed"]
    assert keys(file)["mtu"] == 1400


@pytest.fixture
def dockerd(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Put a dockerd there that says a recorded text; it notes its arguments and the file that it was given."""

    def install(text: str, code: int) -> Path:
        program, seen = tmp_path / "dockerd", tmp_path / "seen"
        said = RECORDED / "docker-26.1.5" / ("validate-%s.txt" % text)
        program.write_text(
            '#!/bin/sh\necho "$*" > %s\nfor last; do :; done\ncat "$last" >> %s\ncat %s >&2\nexit %d\n'
            % (seen, seen, said, code)
        )
        program.chmod(0o755)
        monkeypatch.setattr(docker_process, "find_program", lambda: str(program))
        monkeypatch.setattr(docker_process, "flags", lambda: ["-H", "fd://"])
        monkeypatch.setattr(docker_unit, "flags", lambda: ["--of-the-unit"])
        return seen

    return install


def test_dockerd_judges_the_new_text_with_its_flags(run: Run, file: Path, dockerd: Callable[[str, int], Path]) -> None:
    seen = dockerd("ok", 0)
    assert run(OURS)["validated"]
    arguments, _newline, judged = seen.read_text().partition("\n")
    assert arguments.startswith("-H fd:// --validate --config-file ")
    assert judged == file.read_text()
    seen.unlink()
    assert not run(OURS)["validated"]
    assert not seen.exists(), "what does not change needs no judge"


def test_where_none_runs_the_flags_of_its_unit_count(
    run: Run, dockerd: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a first install: Docker is configured before it starts."""
    seen = dockerd("ok", 0)
    monkeypatch.setattr(docker_process, "flags", list)
    run(OURS)
    assert seen.read_text().startswith("--of-the-unit --validate --config-file ")


def test_what_dockerd_refuses_is_not_written(
    run: Run, file: Path, tmp_path: Path, dockerd: Callable[[str, int], Path]
) -> None:
    dockerd("unknown-key", 1)
    write(file, THEIRS)
    before = picture(file.parent)
    result = run({"log-drivr": "json-file"})
    assert result["failed"] and not result["changed"]
    assert "don't match any configuration option: log-drivr" in result["msg"]
    assert picture(file.parent) == before
    assert not (tmp_path / "originals").exists()


def test_a_dockerd_without_validation_judges_nothing(run: Run, file: Path, dockerd: Callable[[str, int], Path]) -> None:
    dockerd("unknown-flag", 1)
    result = run(OURS)
    assert (result["changed"], result["validated"]) == (True, False)
    assert keys(file) == OURS
