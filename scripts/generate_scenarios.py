"""Write the reference pages about scenarios: those of real processes, those of the simulator, and their format.

python scripts/generate_scenarios.py           write the pages
python scripts/generate_scenarios.py --check   write nothing; exit code 1 if one is not in step
"""

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
REFERENCE: Final = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT))

from tests.e2e.matrix import page  # noqa: E402 - the root is not installed
from tests.sim.scenario.pages import format_page, list_page  # noqa: E402 - likewise


def main() -> int:
    """Write or check the pages; returns the exit code."""
    code = 0
    for name, text in (
        ("scenarios.md", page()),
        ("simulated-scenarios.md", list_page()),
        ("scenario-format.md", format_page()),
    ):
        file = REFERENCE / name
        if "--check" not in sys.argv[1:]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"docs/reference/{name} is not in step; run python scripts/generate_scenarios.py", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
