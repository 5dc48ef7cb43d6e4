"""The command line: enroot COMMAND [OPTIONS] ARGUMENTS."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

from . import VERSION, bundle, config, container, image, reference
from .errors import EnrootError, info, say
from .registry import Registry, host_architecture


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enroot", description="Stand-in for NVIDIA enroot (test equipment of Slipway)."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", help="print the version")
    for name in ("import", "load", "digest"):
        command = commands.add_parser(name)
        command.add_argument("-a", "--arch", default=host_architecture())
        command.add_argument("uri", metavar="URI")
        if name == "import":
            command.add_argument("-o", "--output")
        if name == "load":
            command.add_argument("-n", "--name")
            command.add_argument("-f", "--force", action="store_true")
    create = commands.add_parser("create")
    create.add_argument("-n", "--name")
    create.add_argument("-f", "--force", action="store_true")
    create.add_argument("image", metavar="IMAGE")
    export = commands.add_parser("export")
    export.add_argument("-o", "--output")
    export.add_argument("-f", "--force", action="store_true")
    export.add_argument("name", metavar="NAME")
    packed = commands.add_parser("bundle")
    packed.add_argument("-o", "--output")
    packed.add_argument("image", metavar="IMAGE")
    remove = commands.add_parser("remove")
    remove.add_argument("-f", "--force", action="store_true")
    remove.add_argument("names", metavar="NAME", nargs="+")
    listing = commands.add_parser("list")
    listing.add_argument("-f", "--fancy", action="store_true")
    start = commands.add_parser("start")
    start.add_argument("-c", "--conf")
    start.add_argument("-e", "--env", action="append", default=[])
    start.add_argument("--rc")
    start.add_argument("-r", "--root", action="store_true")
    start.add_argument("-w", "--rw", action="store_true")
    start.add_argument("-m", "--mount", action="append", default=[])
    start.add_argument("target", metavar="NAME|IMAGE")
    start.add_argument("arguments", nargs=argparse.REMAINDER, metavar="COMMAND")
    execute = commands.add_parser("exec")
    execute.add_argument("-e", "--env", action="append", default=[])
    execute.add_argument("pid", metavar="PID")
    execute.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    command: str = arguments.command
    force = getattr(arguments, "force", False) or bool(os.environ.get("ENROOT_FORCE_OVERRIDE"))
    if command == "version":
        print(VERSION)
    elif command == "import":
        image.import_image(arguments.uri, arguments.output, arguments.arch)
    elif command == "load":
        image.load(arguments.uri, arguments.name, arguments.arch, force=force)
    elif command == "digest":
        registry = Registry(reference.parse(arguments.uri))
        registry.authenticate()
        info("Fetching image digest")
        print(registry.digest())
    elif command == "create":
        image.create(arguments.image, arguments.name, force=force)
    elif command == "export":
        image.export(arguments.name, arguments.output, force=force)
    elif command == "bundle":
        bundle.bundle(arguments.image, arguments.output)
    elif command == "remove":
        container.remove(arguments.names, force=force)
    elif command == "list":
        container.list_containers(fancy=arguments.fancy)
    elif command == "exec":
        container.execute(arguments.pid, arguments.arguments, arguments.env)
    else:
        return container.start(
            arguments.target,
            arguments.arguments,
            writable=arguments.rw,
            remap_root=arguments.root,
            mounts=arguments.mount,
            variables=arguments.env,
            configuration=arguments.conf,
            script=arguments.rc,
        )
    return 0


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise EnrootError("", status=128 + number)


def main(argv: list[str]) -> int:
    """Runs one command; a signal ends it as an error does, so that its scratch files go."""
    try:
        if container.PLAN_VARIABLE in os.environ and argv == ["start"]:
            container.enter()
        signal.signal(signal.SIGTERM, _terminated)
        arguments = _parser().parse_args(argv)
        config.load(os.environ)
        config.make_directories(os.environ)
        if arguments.command in ("start", "exec"):  # what is executed inherits an ignored signal only
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return _run(arguments)
    except EnrootError as error:
        if str(error):
            say("ERROR", str(error))
        return error.status
    except OSError as error:
        say("ERROR", f"{error.strerror}: {error.filename}" if error.filename else str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        sys.stdout.flush()
