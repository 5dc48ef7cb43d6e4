"""Text of the repository's own files, of which the templates are to be evaluated."""

from __future__ import annotations

from typing import Any

try:
    # From ansible-core 2.19 on only what is marked as trusted is templated.
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(value: Any) -> Any:
        """Every string is templated before ansible-core 2.19."""
        return value


__all__ = ["trust_as_template"]
