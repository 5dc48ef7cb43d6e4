"""The house rules as functions: each takes a repository and returns what is to be changed, and where.

``test_house_rules.py`` runs every rule on this repository, and proves on a planted fault that it can fail.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

Rule = Callable[[Path], list[str]]
RULES: dict[str, Rule] = {}

SKIPPED_DIRECTORIES = {".git", ".venv", ".cache", ".ansible", "__pycache__"}
ROLE_FILES = ("README.md", "meta/argument_specs.yml", "defaults/main.yml", "tasks/main.yml")
TABLE = re.compile(r"<!-- variables:.*?<!-- /variables -->", re.DOTALL)
# What a playbook tells several roles about the cluster (slurm_controller).
SHARED_PREFIX = "slurm_"
IMPORTS = {"ansible.builtin.import_tasks", "ansible.builtin.import_role"}
INCLUDES = {"ansible.builtin.include_tasks"}
# How a delegated task reaches its host.
CONNECTION = {"ansible_become", "ansible_python_interpreter"}
BLOCKS = ("block", "rescue", "always")
# What Ansible itself calls ansible_…; everything else of that prefix is a fact put among the variables.
MAGIC = re.compile(
    r"\bansible_(?!(?:facts|managed|check_mode|diff_mode|play_\w+|playbook_python|python_interpreter|connection|host|port"
    r"|user|password|become\w*|inventory_sources|version|run_tags|skip_tags|loop\w*|collection_name|collections"
    r"|role_names?|parent_role\w*|config_file|forks|limit|verbosity|search_path|ssh_\w+|failed_\w+|async_dir|runner"
    r"|core|lint|common_remote_group|remote_tmp|shell_\w+)\b)[a-z]\w*"
)
MACHINE = re.compile(
    r"https?://(?:10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.)[0-9.]+|/work/(?:main|shared)\b|/opt/(?:wheels|pypi)\b"
    r"|\.pyenv/|/home/(?!\$|<|\{)[a-z]+/(?:src|work|git)\b"
)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")


def rule(function: Rule) -> Rule:
    """Register a rule."""
    RULES[function.__name__] = function
    return function


# Reading a repository


def files(root: Path, pattern: str = "**/*") -> list[Path]:
    """Return the files that are, or would be, under version control."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        found = [root / name for name in listing.split("\0") if name]
    else:
        found = [
            path for path in root.rglob("*") if not SKIPPED_DIRECTORIES & set(path.relative_to(root).parts)
        ]
    wanted = re.compile(
        pattern.replace("**/", "(DEEP)?").replace("*", "[^/]*").replace("(DEEP)", "(.*/)") + r"\Z"
    )
    return sorted(
        path
        for path in found
        if wanted.match(str(path.relative_to(root))) and path.is_file() and not path.is_symlink()
    )


def lines(path: Path) -> list[tuple[int, str]]:
    """Return a text file's numbered lines; a file that is not text has none."""
    try:
        return list(enumerate(path.read_text().splitlines(), 1))
    except UnicodeDecodeError:
        return []


class NumberedLoader(yaml.SafeLoader):
    """YAML whose mappings know their line; a tag of Ansible's is no error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Add the line under a key that no task has."""
        mapping = super().construct_mapping(node, deep=deep)
        mapping["__line__"] = node.start_mark.line + 1
        return mapping


NumberedLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: "")


def load(path: Path) -> Any:
    """Return a YAML file's content with line numbers in its mappings."""
    return yaml.load(path.read_text(), Loader=NumberedLoader)


def tasks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a list, blocks and what they hold included."""
    for task in content or []:
        if isinstance(task, dict):
            yield task
            for block in BLOCKS:
                yield from tasks(task.get(block))


def role_tasks(root: Path, kinds: str = "tasks") -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Yield (role, file, task) of all roles."""
    for path in files(root, "roles/*/%s/**/*.yml" % kinds):
        role = path.relative_to(root).parts[1]
        for task in tasks(load(path)):
            yield role, path, task


def action(task: dict[str, Any], *names: str) -> Any:
    """Return the arguments of a task's action if it is one of these, under its full or its short name."""
    for name in names:
        for key in ("ansible.builtin." + name, name):
            if key in task:
                return task[key] if task[key] is not None else {}
    return None


def roles(root: Path) -> list[Path]:
    """Return the roles' directories."""
    return sorted({root / "roles" / path.relative_to(root).parts[1] for path in files(root, "roles/*/**/*")})


def at(root: Path, path: Path, message: str, line: int = 0) -> str:
    """Return a message with its place."""
    return "%s%s: %s" % (path.relative_to(root), ":%d" % line if line else "", message)


def matching(root: Path, paths: list[Path], pattern: str | re.Pattern[str], message: str) -> list[str]:
    """Return a message for each line that matches; comments do not count."""
    expression = re.compile(pattern) if isinstance(pattern, str) else pattern
    return [
        at(root, path, message % {"found": match.group().strip()}, number)
        for path in paths
        for number, line in lines(path)
        if not line.lstrip().startswith("#") and (match := expression.search(line))
    ]


def code(root: Path) -> list[Path]:
    """Return everything in which Ansible evaluates expressions."""
    return [
        *files(root, "roles/**/*.yml"),
        *files(root, "roles/**/*.j2"),
        *files(root, "playbooks/*.yml"),
        *files(root, "inventories/**/*.yml"),
    ]


# Roles


@rule
def roles_are_complete(root: Path) -> list[str]:
    """Every role has the files that every reader expects."""
    return [
        at(
            root,
            role,
            "lacks %s: write it%s" % (name, " with `make docs`" if name.startswith("defaults") else ""),
        )
        for role in roles(root)
        for name in ROLE_FILES
        if not (role / name).is_file()
    ]


@rule
def roles_have_a_scenario(root: Path) -> list[str]:
    """What is installed on a node is tried alone, and taken out again (.config/molecule/config.yml)."""
    return [
        at(root, role, "lacks molecule/%s/%s: see docs/develop/add-a-role.md" % (role.name, name))
        for role in roles(root)
        if role.name + "_state" in inputs_of(role)
        for name in ("molecule.yml", "absent.yml", "present/test_%s.py" % role.name, "absent/test_%s.py" % role.name)
        if not (root / "molecule" / role.name / name).is_file()
    ]


@rule
def roles_have_plain_names(root: Path) -> list[str]:
    """A component's one name is snake_case, because it is also a prefix of variables."""
    return [
        at(root, role, "rename it to snake_case")
        for role in roles(root)
        if not re.match(r"[a-z][a-z0-9_]*\Z", role.name)
    ]


@rule
def readmes_are_short(root: Path) -> list[str]:
    """A role's README is read in one minute: 80 lines without the generated table."""
    found = []
    for path in files(root, "roles/*/README.md"):
        count = len(TABLE.sub("", path.read_text()).splitlines())
        if count > 80:
            found.append(
                at(root, path, "%d lines; shorten it to 80, details belong into docs/operate" % count)
            )
    return found


@rule
def main_is_a_table_of_contents(root: Path) -> list[str]:
    """tasks/main.yml only imports and includes, in at most 30 lines."""
    found = []
    for path in files(root, "roles/*/tasks/main.yml"):
        count = len(lines(path))
        if count > 30:
            found.append(at(root, path, "%d lines; 30 is the limit" % count))
        for task in tasks(load(path)):
            if not (IMPORTS | INCLUDES) & set(task):
                message = "%r is no import: move it to a file of its own" % task.get("name", "a task")
                found.append(at(root, path, message, task["__line__"]))
    return found


@rule
def task_files_are_short(root: Path) -> list[str]:
    """A file of tasks has at most 60 lines and 12 tasks."""
    found = []
    for path in [*files(root, "roles/*/tasks/**/*.yml"), *files(root, "roles/*/handlers/*.yml")]:
        count, length = len(list(tasks(load(path)))), len(lines(path))
        if length > 60:
            found.append(at(root, path, "%d lines; split it, 60 is the limit" % length))
        if count > 12:
            found.append(at(root, path, "%d tasks; split it, 12 is the limit" % count))
    return found


@rule
def playbooks_are_short(root: Path) -> list[str]:
    """A play maps a group to roles, in at most 40 lines; logic belongs into roles and modules."""
    found = []
    for path in files(root, "playbooks/*.yml"):
        starts = [play["__line__"] for play in load(path) or []]
        for start, end in zip(starts, [*starts[1:], len(lines(path)) + 1], strict=True):
            written = [number for number, line in lines(path)[start - 1 : end - 1] if re.match(r"\s*[^#\s]", line)]
            if written[-1] - start >= 40:
                message = "a play of %d lines; move logic into a role, 40 is the limit" % (written[-1] - start + 1)
                found.append(at(root, path, message, start))
    return found


@rule
def plays_have_names(root: Path) -> list[str]:
    """Every play says what it does."""
    return [
        at(root, path, "a play without a name: give it one", play["__line__"])
        for path in files(root, "playbooks/*.yml")
        for play in load(path) or []
        if isinstance(play, dict) and not play.get("name")
    ]


@rule
def entry_points_are_called_without_extension(root: Path) -> list[str]:
    """With .yml in tasks_from the argument spec silently does not run (ansible/playbook/role/__init__.py)."""
    message = "write it without the extension: with it the argument spec silently does not run"
    return matching(root, [*code(root), *files(root, "molecule/**/*.yml")], r"_from:.*\.ya?ml\b", message)


@rule
def entry_points_have_specs(root: Path) -> list[str]:
    """Every entry point that is called has a file and a spec, and every spec has its file."""
    found = []
    known: dict[str, set[str]] = {}
    for role in roles(root):
        path = role / "meta" / "argument_specs.yml"
        if not path.is_file():
            continue
        entries = (load(path) or {}).get("argument_specs") or {}
        known[role.name] = {name for name in entries if name != "__line__"}
        found += [
            at(root, path, "entry point %s has no tasks/%s.yml" % (name, name))
            for name in sorted(known[role.name])
            if not (role / "tasks" / (name + ".yml")).is_file()
        ]
    calls = [(path, task) for _role, path, task in role_tasks(root)]
    for path in files(root, "playbooks/*.yml"):
        for play in load(path) or []:
            for section in ("pre_tasks", "tasks", "post_tasks"):
                calls += [(path, task) for task in tasks(play.get(section))]
    for path, task in calls:
        arguments = action(task, "import_role", "include_role")
        if not isinstance(arguments, dict):
            continue
        name = str(arguments.get("name", "")).rpartition(".")[2]
        entry = str(arguments.get("tasks_from", "main"))
        if name in known and "{{" not in entry and entry not in known[name]:
            message = "entry point %s of %s has no argument spec: add it" % (entry, name)
            found.append(at(root, path, message, task["__line__"]))
    return found


@rule
def tasks_are_imported(root: Path) -> list[str]:
    """include_tasks hides tasks from --list-tasks; it is for a loop, or a phase that mostly has nothing to do.

    Such a phase costs one skipped task a host then, and not every task in it.
    """
    return [
        at(root, path, "use import_tasks; include_tasks is for a loop or a condition", task["__line__"])
        for _role, path, task in role_tasks(root)
        if action(task, "include_tasks") is not None and not {"loop", "when"} & set(task)
    ]


# Variables


@rule
def facts_are_read_from_ansible_facts(root: Path) -> list[str]:
    """An injected fact (ansible_hostname) can be mistaken for, and overridden by, a variable."""
    return matching(root, code(root), MAGIC, "write ansible_facts['…'] instead of %(found)s")


@rule
def facts_are_read_in_brackets(root: Path) -> list[str]:
    """ansible_facts.keys is a method and ansible_facts.x may be one tomorrow."""
    pattern = r"ansible_facts(\['\w+'\])*\.(?!keys\(\)|items\(\)|values\(\))[a-z]\w*"
    return matching(root, code(root), pattern, "write it in brackets instead of %(found)s")


@rule
def roles_know_no_groups(root: Path) -> list[str]:
    """A role that names an inventory group works on one site; the playbook hands it what it needs."""
    paths = [*files(root, "roles/**/*.yml"), *files(root, "roles/**/*.j2")]
    pattern = r"\bgroups\s*(\[|\.)|\bgroup_names\b"
    return matching(root, paths, pattern, "make it an input that the playbook sets, instead of %(found)s")


@rule
def internals_are_marked(root: Path) -> list[str]:
    """What is no input starts with __<role>_: registers, set_fact, loop variables and role vars."""
    found = []
    inputs = {name for role in roles(root) for name in inputs_of(role)}
    for role, path, task in [*role_tasks(root), *role_tasks(root, "handlers")]:
        control = task.get("loop_control") or {}
        names = [task.get("register"), control.get("loop_var"), control.get("index_var")]
        facts = action(task, "set_fact")
        names += [name for name in facts if name != "cacheable"] if isinstance(facts, dict) else []
        names += [name for name in task.get("vars") or {} if name not in inputs and name not in CONNECTION]
        found += [
            at(root, path, "rename %s to __%s_…" % (name, role), task["__line__"])
            for name in names
            if name and name != "__line__" and not str(name).startswith("__%s_" % role)
        ]
    for path in files(root, "roles/*/vars/*.yml"):
        role = path.relative_to(root).parts[1]
        found += [
            at(root, path, "rename %s to __%s_…" % (name, role))
            for name in load(path) or {}
            if name != "__line__" and not str(name).startswith("__%s_" % role)
        ]
    return found


def inputs_of(role: Path) -> set[str]:
    """Return the names of a role's inputs."""
    path = role / "meta" / "argument_specs.yml"
    entries = (load(path) or {}).get("argument_specs") or {} if path.is_file() else {}
    return {
        name
        for entry in entries.values()
        if isinstance(entry, dict)
        for name in entry.get("options") or {}
        if name != "__line__"
    }


@rule
def inputs_have_their_prefix_or_are_shared(root: Path) -> list[str]:
    """An input is named after its role (artifact_mirror after artifacts), or several roles have the very same one."""
    owners: dict[str, list[str]] = {}
    for role in roles(root):
        for name in inputs_of(role):
            owners.setdefault(name, []).append(role.name)
    return [
        "roles/%s/meta/argument_specs.yml: rename %s to %s_…" % (having[0], name, having[0])
        for name, having in sorted(owners.items())
        if len(having) == 1
        and not name.startswith((having[0] + "_", having[0].removesuffix("s") + "_", SHARED_PREFIX))
    ]


@rule
def internals_have_no_default(root: Path) -> list[str]:
    """A default on an internal name hides that nothing sets it any more (linux-system-roles/hpc, 27 dead branches)."""
    pattern = r"\b__\w+(\[[^\]]+\])*\s*\|\s*(default|d)\("
    return matching(
        root, code(root), pattern, "set the internal variable always, and drop the default of %(found)s"
    )


@rule
def inputs_are_not_overwritten(root: Path) -> list[str]:
    """set_fact over an input makes the inventory lie."""
    inputs = {name for role in roles(root) for name in inputs_of(role)}
    return [
        at(root, path, "%s is an input: set a __ variable from it instead" % name, task["__line__"])
        for _role, path, task in role_tasks(root)
        for name in (action(task, "set_fact") or {})
        if name in inputs
    ]


@rule
def distributions_are_data(root: Path) -> list[str]:
    """What differs between distributions is in vars/<Family>.yml; a condition on one hides the others."""
    return [
        at(
            root,
            path,
            "move what differs into vars/<os_family>.yml instead of asking in `when`",
            task["__line__"],
        )
        for _role, path, task in role_tasks(root)
        if re.search(r"os_family|\['distribution", str(task.get("when", "")))
    ]


# Tasks


@rule
def errors_are_not_ignored(root: Path) -> list[str]:
    """What may fail says so in failed_when."""
    return matching(root, code(root), r"\bignore_errors\s*:", "say what is expected in failed_when")


@rule
def shell_says_why(root: Path) -> list[str]:
    """A shell is for what no module and no command can do, and a comment says what that is."""
    found = []
    for _role, path, task in [*role_tasks(root), *role_tasks(root, "handlers")]:
        if action(task, "shell") is None:
            continue
        text = path.read_text().splitlines()
        start = task["__line__"] - 1
        above = start >= 1 and text[start - 1].lstrip().startswith("#")
        end = next((n for n in range(start + 1, len(text)) if text[n].startswith("- ")), len(text))
        inside = any(line.lstrip().startswith("#") for line in text[start:end])
        if not above and not inside:
            found.append(
                at(root, path, "shell without a comment: say why no module does it", task["__line__"])
            )
    return found


@rule
def commands_say_when_they_change(root: Path) -> list[str]:
    """A command without changed_when or creates reports a change on every run. Handlers run only after one."""
    found = []
    for _role, path, task in role_tasks(root):
        arguments = action(task, "command", "shell", "raw", "script")
        if arguments is None or "changed_when" in task:
            continue
        if not (isinstance(arguments, dict) and {"creates", "removes"} & set(arguments)):
            found.append(at(root, path, "add changed_when or creates", task["__line__"]))
    return found


@rule
def downloads_have_checksums(root: Path) -> list[str]:
    """Files come through the role artifacts; get_url needs a checksum and uri cannot have one."""
    found = []
    for _role, path, task in role_tasks(root):
        fetched, asked = action(task, "get_url"), action(task, "uri")
        if isinstance(fetched, dict) and not fetched.get("checksum"):
            found.append(at(root, path, "add a checksum, or make it an artifact", task["__line__"]))
        if isinstance(asked, dict) and asked.get("dest"):
            found.append(
                at(root, path, "uri with dest checks nothing: make it an artifact", task["__line__"])
            )
    return found


@rule
def versions_are_named(root: Path) -> list[str]:
    """`latest` is another version tomorrow."""
    paths = [*code(root), *files(root, "molecule/**/*.yml"), *files(root, "requirements*")]
    return matching(root, paths, r"(:\s*['\"]?|:)latest\b['\"]?\s*$", "name a version instead of %(found)s")


@rule
def modes_are_quoted(root: Path) -> list[str]:
    """An unquoted mode is a number, and 644 another one than 0644."""
    return matching(root, code(root), r"\bmode:\s*[0-9]+", "quote it with its leading zero: %(found)s")


@rule
def nothing_is_writable_for_all(root: Path) -> list[str]:
    """A directory that all may write to needs the sticky bit (1777); a file never is one."""
    pattern = (
        r"\bmode['\"]?\s*[:=]\s*['\"]?0?(777|666|776|766)\b|chmod\s+(-R\s+)?(0?777|0?666|a\+rwx?|o\+w)\b"
    )
    paths = [
        *code(root),
        *files(root, "**/*.sh"),
        *files(root, "lifecycle/**/*"),
        *files(root, "playbooks/*.yml"),
    ]
    return sorted(set(matching(root, paths, pattern, "use 1777 for a shared directory, not %(found)s")))


@rule
def templates_say_that_they_are_managed(root: Path) -> list[str]:
    """Whoever opens the file on a node learns where to change it."""
    return [
        at(root, path, "begin with {{ slipway_managed | comment }}")
        for path in files(root, "roles/*/templates/**/*")
        if "slipway_managed" not in "\n".join(line for _number, line in lines(path)[:3])
    ]


# Words


@rule
def nothing_names_this_machine(root: Path) -> list[str]:
    """A private mirror or a path of one workstation breaks everybody else's run."""
    skipped = (root / "tests" / "static", root / "tests" / "fixtures")
    paths = [path for path in files(root) if not any(base in path.parents for base in skipped)]
    return [
        at(root, path, "make it an input or a relative path: %s" % match.group(), number)
        for path in paths
        for number, line in lines(path)
        if (match := MACHINE.search(line))
    ]


@rule
def links_resolve(root: Path) -> list[str]:
    """A link in a page leads to a file, and to a heading where it names one."""
    found = []
    for path in files(root, "**/*.md"):
        fenced = False
        for number, line in lines(path):
            fenced ^= line.lstrip().startswith("```")
            for target in [] if fenced else LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                name, _hash, anchor = target.partition("#")
                goal = (path.parent / name).resolve() if name else path
                if not goal.exists():
                    found.append(at(root, path, "%s leads nowhere: correct the link" % target, number))
                elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
                    found.append(at(root, path, "%s: no such heading in that page" % target, number))
    return found


def anchors(path: Path) -> set[str]:
    """Return the anchors that a page's headings have."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for _number, line in lines(path)
        if line.startswith("#")
    }


@rule
def the_changelog_is_open(root: Path) -> list[str]:
    """A change is entered when it is made."""
    path = root / "CHANGELOG.md"
    if path.is_file() and re.search(r"^## \[?Unreleased\]?", path.read_text(), re.MULTILINE):
        return []
    return ["CHANGELOG.md: add a section '## [Unreleased]'"]


@rule
def verbs_have_pages(root: Path) -> list[str]:
    """docs/operate has a page a playbook, and it names the playbook."""
    found = []
    for playbook in files(root, "playbooks/*.yml"):
        page = root / "docs" / "operate" / (playbook.stem + ".md")
        if not page.is_file():
            found.append(at(root, playbook, "write docs/operate/%s.md" % playbook.stem))
        elif playbook.name not in page.read_text():
            found.append(at(root, page, "does not show how to run playbooks/%s" % playbook.name))
    return found


@rule
def components_are_in_the_docs(root: Path) -> list[str]:
    """An operator finds every role's name in README.md or docs/operate."""
    pages = [*files(root, "docs/operate/*.md"), *files(root, "README.md")]
    text = "\n".join(path.read_text() for path in pages)
    return [
        at(root, role, "name it in README.md or in docs/operate")
        for role in roles(root)
        if not re.search(r"\b%s\b" % re.escape(role.name), text)
    ]


@rule
def pages_are_short(root: Path) -> list[str]:
    """A page has at most 150 lines; docs/reference is generated and exempt."""
    return [
        at(root, path, "%d lines; split it, 150 is the limit" % len(lines(path)))
        for path in files(root, "docs/**/*.md")
        if "reference" not in path.relative_to(root).parts and len(lines(path)) > 150
    ]


@rule
def inventories_are_by_component(root: Path) -> list[str]:
    """group_vars/all/<component>.yml: knowing the name is knowing the file."""
    names = {role.name for role in roles(root)} | {"slurm", "all", "connection", "gpu", "vault", "validate"}
    return [
        at(root, path, "name it after a component (%s)" % ", ".join(sorted(names)))
        for path in files(root, "inventories/*/group_vars/all/*.yml")
        if path.stem.removeprefix("vault_") not in names
    ]
