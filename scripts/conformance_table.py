"""Write docs/reference/conformance.md: everything that was observed of a real Memgraph, and the tests that hold it.

python -m scripts.conformance_table           write the page
python -m scripts.conformance_table --check   write nothing; exit code 1 if the page is not in step
"""

import sys
from collections.abc import Sequence

from scripts.in_step import REFERENCE, keep
from tests.conformance.questions import OBSERVATIONS
from tests.conformance.table import marked_tests, page


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(
        lambda: {"conformance.md": page(OBSERVATIONS, marked_tests())}, "conformance_table", arguments, REFERENCE
    )


if __name__ == "__main__":
    sys.exit(main())
