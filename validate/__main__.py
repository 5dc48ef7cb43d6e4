"""``python -m validate``: nearly nothing here, so that Ctrl-C while the rest is read ends in words, too."""

from __future__ import annotations

import io
import os
import sys


def main() -> int:
    """Return the exit code of ``validate.command.main``; 3 where it was interrupted before that began."""
    try:
        for stream in (sys.stdout, sys.stderr):
            # A report shows names of files, which need not be text, on terminals that need not know all text.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            from validate import command  # noqa: PLC0415 -- an interrupt meanwhile is to be caught
        except ModuleNotFoundError as error:
            # Python's own 1 would say that a node failed.
            print(f"validate: could not start: {error}: run it by the Python of `make venv`", file=sys.stderr)
            return 3
        return command.main()
    except KeyboardInterrupt:
        print("validate: interrupted before anything was measured", file=sys.stderr, flush=True)
        # Python ends itself by the signal where it came while text was compiled, as dataclasses do when they are read.
        os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
