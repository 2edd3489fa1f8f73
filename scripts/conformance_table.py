"""Write docs/reference/conformance.md: everything that was observed of a real Memgraph, and the tests that hold it.

python scripts/conformance_table.py           write the page
python scripts/conformance_table.py --check   write nothing; exit code 1 if the page is not in step
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "conformance.md"
sys.path.insert(0, str(ROOT))

from tests.conformance.questions import OBSERVATIONS  # noqa: E402 - the root is not installed
from tests.conformance.table import marked_tests, page  # noqa: E402 - likewise


def main() -> int:
    """Write or check the page; returns the exit code."""
    text = page(OBSERVATIONS, marked_tests())
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not in step; run python scripts/conformance_table.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
