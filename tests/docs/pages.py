"""Reading Markdown as far as these tests need it: sections, links, anchors and code."""

import re
from pathlib import Path
from typing import Final

from attrs import frozen

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
RUNBOOK: Final = DOCS / "runbook"

_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"(?<!!)\[(?:[^\]`]|`[^`]*`)*\]\(([^)\s]+)\)")
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)


@frozen
class Fence:
    """A fenced block: its language and its lines."""

    language: str
    text: str


@frozen
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the repository, as a failure should show it."""
        return str(self.path.relative_to(ROOT))

    @property
    def prose(self) -> str:
        """Everything but fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def fences(self) -> list[Fence]:
        """Every fenced block."""
        return [Fence(match[1], match[2]) for match in _FENCE.finditer(self.text)]

    @property
    def spans(self) -> list[str]:
        """Every code span in the prose."""
        return _SPAN.findall(self.prose)

    @property
    def links(self) -> list[str]:
        """The target of every link and image, as it is written."""
        bare = _SPAN.sub("`code`", self.prose)
        return _LINK.findall(bare) + _IMAGE.findall(bare)

    @property
    def anchors(self) -> set[str]:
        """What a link's fragment may name: the slugs of the headings, numbered where they repeat, as GitHub does it."""
        found: set[str] = set()
        for _marks, title in _HEADING.findall(self.prose):
            slug = _slug(title)
            repeats = sum(1 for known in found if known == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", known))
            found.add(slug if repeats == 0 else f"{slug}-{repeats}")
        return found

    @property
    def title(self) -> str:
        """The first heading."""
        match = _HEADING.search(self.prose)
        return "" if match is None else match[2]

    def sections(self) -> dict[str, str]:
        """What stands under each second-level heading, and under '' what stands before the first of them."""
        parts = re.split(r"^## +(.+?) *$", self.text, flags=re.MULTILINE)
        return {"": parts[0], **{title: body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}}


def _slug(title: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def read(path: Path) -> Page:
    """Read one."""
    return Page(path, path.read_text(encoding="utf-8"))


def every_page() -> list[Page]:
    """Read each page under docs/, and those at the top of the repository."""
    return [read(path) for path in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])]
