"""Write the reference pages about scenarios: those of real processes, those of the simulator, and their format.

python -m scripts.generate_scenarios           write the pages
python -m scripts.generate_scenarios --check   write nothing; exit code 1 if one is not in step
"""

import sys
from collections.abc import Sequence

from scripts.in_step import REFERENCE, keep
from tests.e2e.matrix import page
from tests.sim.scenario.pages import format_page, list_page


def pages() -> dict[str, str]:
    """Make every page: file name to text."""
    return {"scenarios.md": page(), "simulated-scenarios.md": list_page(), "scenario-format.md": format_page()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(pages, "generate_scenarios", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
