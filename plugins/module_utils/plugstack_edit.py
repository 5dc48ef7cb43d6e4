"""What to change so that a plugin is registered once, or not at all. Plans only; changes nothing."""

from __future__ import annotations

import os

from ansible_collections.slipway.containers.plugins.module_utils import plugstack
from ansible_collections.slipway.containers.plugins.module_utils.plugstack_tree import File, Tree


def plan(tree: Tree, wanted: plugstack.Registration | None, names: list[str]) -> dict[str, str | None]:
    """Return the files to change: ``wanted`` once in the main file, no other registration of ``names``.

    All lines that are not about these plugins stay as they are, in order.
    """
    files = {file.path: file for file in reversed(tree.files)}
    dropped: dict[str, set[int]] = {}
    removed: dict[str, None] = {}
    for file in files.values():
        if file.path != tree.main and any(line.plugin_name in names for line in file.lines):
            _resolve_included(tree, file, names, dropped, removed)
    changes: dict[str, str | None] = dict(removed)
    for path, numbers in dropped.items():
        if path != tree.main:
            changes[path] = _without(files[path], numbers)
    main = files.get(tree.main, File(tree.main, ""))
    text = _main_text(main, wanted, names, dropped.get(tree.main, set()))
    if text != (main.text or ""):
        changes[tree.main] = text
    return changes


def _resolve_included(
    tree: Tree, file: File, names: list[str], dropped: dict[str, set[int]], removed: dict[str, None]
) -> None:
    """Take a plugin's registrations out of one included file in the way that touches least."""
    ours = {line.number for line in file.lines if line.plugin_name in names}
    others = any(line.kind for line in file.lines if line.number not in ours)
    including = [(path, line) for path, line, _pattern, matches in tree.includes if file.path in matches]
    if not others and not any(plugstack.is_glob(line.target) for _path, line in including):
        # The file is somebody's own (make install, a package) and would come back: leave it, stop naming it.
        for path, line in including:
            dropped.setdefault(path, set()).add(line.number)
    elif not others and os.path.islink(file.path):
        removed[file.path] = None
    else:
        dropped.setdefault(file.path, set()).update(ours)


def _without(file: File, numbers: set[int]) -> str:
    return "".join(line.raw for line in file.lines if line.number not in numbers)


def _main_text(main: File, wanted: plugstack.Registration | None, names: list[str], dropped: set[int]) -> str:
    ours = [line for line in main.lines if line.plugin_name in names]
    right = next((line for line in ours if wanted and wanted.matches(line)), None)
    place = right or (ours[0] if ours else None)
    parts: list[str] = []
    for line in main.lines:
        if wanted and line is place:
            parts.append(line.raw if right else _written(wanted, line.comment))
        elif line not in ours and line.number not in dropped:
            parts.append(line.raw)
    if wanted and not place:
        if parts and not parts[-1].endswith("\n"):
            parts[-1] += "\n"
        parts.append(_written(wanted, ""))
    text = "".join(parts)
    # Only a line of ours is terminated where it was not; the end of somebody else's stays as it is.
    return text + "\n" if right and parts[-1] == right.raw and not text.endswith("\n") else text


def _written(wanted: plugstack.Registration, comment: str) -> str:
    return "{}{}\n".format(wanted.text, " " + comment if comment else "")
