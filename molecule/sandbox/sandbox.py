#!/usr/bin/env python3
"""A real Slurm cluster in containers: docs/operate/sandbox.md."""

from __future__ import annotations

import argparse
import sys

from cluster import access, down, settings, up
from cluster.errors import SandboxError
from cluster.exclusive import exclusively


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    verbs.add_parser("up", help="bring the sandbox up; start what is missing of a running one")
    verbs.add_parser("converge", help="put the container stack on it, with the playbooks of any site")
    verbs.add_parser("accept", help="run the acceptance suite; the page is .sandbox/validate/report.html")
    verbs.add_parser("status", help="nodes, their state in Slurm, and the distribution")
    shell = verbs.add_parser("shell", help="a shell on a node")
    shell.add_argument("node", nargs="?", default="head", help="head, login1, compute1, … [head]")
    shell.add_argument("-u", "--user", default="root", help="root, operator, member or guest [root]")
    run = verbs.add_parser("run", help="a command on a node: run NODE [-u USER] -- COMMAND …")
    run.add_argument("node")
    run.add_argument("-u", "--user", default="root")
    run.add_argument("command", nargs="+")
    verbs.add_parser("down", help="remove the sandbox; only cached images stay")
    verbs.add_parser("clean", help="down, and remove the cached images")
    return top


def act(arguments: argparse.Namespace) -> None:
    wanted = settings.from_environment()
    if arguments.verb == "up":
        with exclusively(wanted):
            up.up(wanted)
    elif arguments.verb in ("converge", "accept"):
        # Only these need Ansible: whatever Python there is must be able to take a sandbox down.
        from cluster import stack  # noqa: PLC0415 - see above

        {"converge": stack.converge, "accept": stack.accept}[arguments.verb](wanted)
    elif arguments.verb == "status":
        print(access.status(wanted))
    elif arguments.verb == "shell":
        access.enter(wanted, arguments.node, arguments.user, ["bash", "-l"])
    elif arguments.verb == "run":
        access.enter(wanted, arguments.node, arguments.user, arguments.command)
    else:
        with exclusively(wanted):
            removed = {"down": down.down, "clean": down.clean}[arguments.verb](wanted)
        print(f"removed: {'; '.join(removed)}" if removed else "there was nothing to remove")


def main() -> int:
    try:
        act(parser().parse_args())
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; `up` goes on from here, `down` removes it", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
