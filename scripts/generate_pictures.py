"""Draw docs/pictures/cli-*.svg: each command as a real terminal shows it.

python -m scripts.generate_pictures [NAME ...]

Every command runs as its own process on a pseudo-terminal: most against a real `memgraph-ha local`, some of rare
situations against recorded answers of the API. Look at the pictures afterwards: a test cannot say whether they are
readable.
"""

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts import pictures_live, pictures_recorded
from scripts.picture_drawing import svg

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
MOST_BYTES: Final = 120_000


def main(wanted: list[str]) -> int:
    """Draw all pictures, or those that are named."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    drawn = set()
    with tempfile.TemporaryDirectory() as folder:
        taken = itertools.chain(pictures_recorded.shots(wanted), pictures_live.shots(Path(folder), wanted))
        for shot in taken:
            content = svg(shot)
            size = len(content.encode())
            if size > MOST_BYTES:
                print(f"{shot.name}: {size:,} bytes are more than {MOST_BYTES:,}; make it smaller")
                return 1
            (PICTURES / f"cli-{shot.name}.svg").write_text(content, encoding="utf-8")
            print(f"docs/pictures/cli-{shot.name}.svg {size:,} bytes")
            drawn.add(shot.name)
    missing = set(wanted) - drawn
    if missing:
        print(f"there is no picture {', '.join(sorted(missing))}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
