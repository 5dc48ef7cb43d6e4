"""Where the code, the site's values and the artifacts of this run lie: an unpacked bundle, or a clone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .outcome import BadConfiguration
from .plan import NEEDS

BUNDLE_VARIABLE = "SLIPWAY_BUNDLE_DIRECTORY"
SITE_VARIABLE = "SLIPWAY_SITE_DIRECTORY"
REPOSITORY = Path(__file__).resolve().parents[1]
COLLECTION = Path("collections/ansible_collections/slipway/containers")
SETTINGS = "lifecycle.yml"
# Written last by the bootstrap: {digest: sha256 of the bundle, built: seconds since 1970}.
UNPACKED = "unpacked.json"


@dataclass(frozen=True)
class Code:
    """Paths of one run; ``digest`` is '' for a clone, ``built`` is in seconds since 1970."""

    root: Path
    site: Path
    collections: Path
    artifacts: Path | None = None
    plugins: Path | None = None
    packages: Path | None = None
    digest: str = ""
    built: float = 0.0

    def playbook(self, name: str) -> Path:
        """Return a playbook's file: a verb's, or one that only hooks use."""
        path = self.root / "playbooks" / (name + ".yml")
        return path if path.exists() else self.root / "lifecycle" / "playbooks" / (name + ".yml")

    @property
    def components(self) -> tuple[str, ...]:
        """The components that this code has roles for, in the order of a converge."""
        return tuple(name for name in NEEDS if (self.root / "roles" / name).is_dir())

    def distributions(self) -> dict[str, list[str]]:
        """Return what the roles support, in the shape of ``__<role>_distributions``."""
        supported: dict[str, list[str]] = {}
        for name in self.components:
            path = self.root / "roles" / name / "vars" / "main.yml"
            values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
            for family, versions in (values.get("__%s_distributions" % name) or {}).items():
                known = supported.setdefault(family, [])
                known += [str(version) for version in versions if str(version) not in known]
        return supported

    def variables(self) -> dict[str, Any]:
        """Return what tells the roles to take everything from the bundle; nothing for a clone."""
        found: dict[str, Any] = {}
        if self.artifacts:
            found["artifact_mirror"] = str(self.artifacts)
        if (self.site / "artifacts.lock.yml").exists():
            found["artifacts_lock_file"] = str(self.site / "artifacts.lock.yml")
        if self.plugins:
            found["pyxis_prebuilt_directory"] = str(self.plugins)
        if self.packages:
            found["artifacts_package_repository"] = str(self.packages)
        return found

    def settings(self) -> dict[str, Any]:
        """Return the site's ``lifecycle.yml``, {} where there is none; raises BadConfiguration."""
        path = self.site / SETTINGS
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BadConfiguration("%s cannot be read: %s" % (path, error)) from None
        if values is None:
            return {}
        if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
            raise BadConfiguration("%s must be a mapping of settings" % path)
        return values

    def environment(self, work: Path) -> dict[str, str]:
        """Return Ansible's own variables: nothing of the node's Ansible is read or written."""
        return {
            "ANSIBLE_HOME": str(work / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(work / "ansible" / "tmp"),
            "ANSIBLE_REMOTE_TMP": str(work / "ansible" / "tmp"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
        }


def located(environment: Mapping[str, str]) -> Code:
    """Return the code of this run, as the bootstrap or a tester names it; raises BadConfiguration."""
    bundle = environment.get(BUNDLE_VARIABLE)
    if not bundle:
        site = Path(environment.get(SITE_VARIABLE) or REPOSITORY / "inventories" / "example")
        return Code(REPOSITORY, site, REPOSITORY / "playbooks" / "collections")
    directory = Path(bundle)
    try:
        facts = json.loads((directory / UNPACKED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfiguration("%s is no unpacked bundle: %s" % (directory, error)) from None
    return Code(
        directory / COLLECTION,
        Path(environment.get(SITE_VARIABLE) or directory / "site"),
        directory / "collections",
        _unless_empty(directory / "artifacts"),
        _unless_empty(directory / "plugins"),
        _unless_empty(directory / "packages"),
        str(facts["digest"]),
        float(facts["built"]),
    )


def _unless_empty(directory: Path) -> Path | None:
    return directory if directory.is_dir() and any(directory.iterdir()) else None
