"""What stops a benchmark."""


class BenchError(Exception):
    """A measurement that did not come about, with the output of what failed."""
