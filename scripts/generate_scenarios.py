"""Write docs/reference/scenarios.md: every scenario of the catalogue, and the tests that play it with real processes.

python scripts/generate_scenarios.py           write the page
python scripts/generate_scenarios.py --check   write nothing; exit code 1 if the page is not in step
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "scenarios.md"
sys.path.insert(0, str(ROOT))

from tests.e2e.matrix import page  # noqa: E402 - the root is not installed


def main() -> int:
    """Write or check the page; returns the exit code."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not in step; run python scripts/generate_scenarios.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
