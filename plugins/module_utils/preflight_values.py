"""Whether a value is what an input accepts, stricter than Ansible is."""

from __future__ import annotations

import copy
import math
import re
from typing import Any, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.containers.plugins.module_utils import settings
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import (
    Finding,
    Role,
    one_line,
    show,
)
from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret

HIDDEN = "(hidden)"
BOOLEANS = frozenset(("yes", "no", "on", "off", "true", "false", "1", "0", "y", "n", "t", "f"))
NAMES = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
}


def allowed_of(option: Mapping[str, Any]) -> str:
    """Return in words what an option accepts."""
    if option.get("choices"):
        text = "one of: " + ", ".join(_plain(choice) for choice in option["choices"])
        return "a list, each " + text if option.get("type") == "list" else text
    kind = str(option.get("type", "str"))
    text = NAMES.get(kind, kind)
    if kind == "list" and option.get("elements"):
        text += ", each " + NAMES.get(option["elements"], option["elements"])
    if option.get("options"):
        keys = ["%s%s" % (key, " (required)" if sub.get("required") else "") for key, sub in option["options"].items()]
        text += " with the keys " + ", ".join(keys)
    return text


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def faults_of(option: Mapping[str, Any], value: Any, where: str = "") -> list[str]:
    """Return what is wrong with the type of a value, stricter than Ansible.

    Ansible's validation converts a copy: a list given as text passes it, and the role then loops over letters.
    Numbers and booleans as text are accepted, because ``-e name=5`` is always text.
    """
    kind = str(option.get("type", "str"))
    if value is None:
        faults = [] if where else ["has no value"]
    elif kind in ("str", "path"):
        faults = _text_faults(value)
    elif kind == "list":
        return _list_faults(option, value, where)
    elif kind == "dict":
        return _dict_faults(option, value, where)
    elif kind in ("int", "float", "bool") and not _is_scalar(kind, value):
        faults = ["is %s" % _kind(value)]
    else:
        faults = []
    return ["%s: %s" % (where, fault) if where else fault for fault in faults]


def _text_faults(value: Any) -> list[str]:
    if isinstance(value, (list, tuple, Mapping)):
        return ["is %s" % _kind(value)]
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return ["is read by YAML as %s; put quotes around it" % _kind(value)]
    return ["holds a NUL character"] if "\0" in str(value) else []


def _list_faults(option: Mapping[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, (list, tuple)):
        return ["%sis %s" % (where + ": " if where else "", _kind(value))]
    element = {"type": option.get("elements", "raw"), "options": option.get("options")}
    faults = []
    for position, item in enumerate(value):
        at = "%s[%d]" % (where, position)
        faults += ["%s: has no value" % at] if item is None else faults_of(element, item, at)
    return faults


def _dict_faults(option: Mapping[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, Mapping):
        return ["%sis %s" % (where + ": " if where else "", _kind(value))]
    faults = []
    for key, sub in (option.get("options") or {}).items():
        if key in value:
            faults += faults_of(sub, value[key], "%s.%s" % (where, key) if where else key)
    return faults


def _is_scalar(kind: str, value: Any) -> bool:
    text = str(value).strip().lower() if isinstance(value, str) else None
    if kind == "bool":
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)) or text in BOOLEANS
    if isinstance(value, bool):
        return False
    if kind == "int":
        return isinstance(value, int) or bool(text and re.match(r"[+-]?[0-9]{1,18}\Z", text))
    if text is not None and not re.match(r"[+-]?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?\Z", text):
        return False
    # YAML has .nan and .inf, which no number of bytes or seconds can be made of.
    return isinstance(value, (str, int, float)) and math.isfinite(float(value))


def _kind(value: Any) -> str:
    for types, name in (
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number with a fraction" if not isinstance(value, float) or math.isfinite(value) else "no number"),
        ((list, tuple), "a list"),
        (Mapping, "a dictionary"),
    ):
        if isinstance(value, types):
            return name
    return "a %s" % type(value).__name__.lstrip("_")


def judge_value(component: str, name: str, option: Mapping[str, Any], value: Any) -> list[Finding]:
    """Judge one value against its option."""
    secret = is_secret(name, option)
    faults = faults_of(option, value)
    if not faults:
        spec = copy.deepcopy(dict(option))
        for key in ("required", "default", "no_log"):
            spec.pop(key, None)
        faults = [
            one_line(message) for message in ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages
        ]
        if faults and secret:  # Ansible's messages quote the value
            faults = ["is not what is allowed"]
    allowed = allowed_of(option)
    shown = HIDDEN if secret else show(value)
    return [Finding(component, name, shown, fault, allowed) for fault in faults]


def judge_settings(role: Role, values: Mapping[str, Any]) -> list[Finding]:
    """Judge what is to stand in files of keys and values: what those programs read there is one line of text."""
    findings = []
    for name, allowed in role.own("settings_inputs", {}).items():
        value = values.get(name)
        for key, item in value.items() if isinstance(value, Mapping) else ():
            fault = settings.fault_of(key, item, allowed)
            if fault:
                shown = HIDDEN if is_secret(str(key)) else show({str(key): item})
                words = " or ".join(
                    ["text", "a number", *({"boolean": "true, false"}.get(one, one) for one in allowed)]
                )
                findings.append(Finding(role.name, name, shown, one_line(fault), "for each key " + words))
    return findings
