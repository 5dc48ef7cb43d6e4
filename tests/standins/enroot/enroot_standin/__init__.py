"""The stand-in for enroot 4.1.2: the same commands, settings and files, and as little else as works."""

VERSION = "4.1.2~standin1"
