"""No link in docs/ or at the top of the repository leads nowhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import ROOT, Page, every_page, read

EACH_PAGE = pytest.mark.parametrize("page", every_page(), ids=lambda page: page.name)


def dead(page: Page) -> dict[str, str]:
    """Every link of a page that leads nowhere, and why. What is on the network is not asked."""
    wrong: dict[str, str] = {}
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto"):
            continue
        path = page.path if not parts.path else (page.path.parent / unquote(parts.path)).resolve()
        if not path.exists():
            wrong[link] = "there is no such file"
        elif ROOT not in path.parents and path != ROOT:
            wrong[link] = "it is outside of the repository"
        elif parts.fragment and path.suffix == ".md" and parts.fragment not in _at(path, page).anchors:
            wrong[link] = "that page has no such heading"
    return wrong


def _at(path: Path, page: Page) -> Page:
    return page if path == page.path else read(path)


@EACH_PAGE
def test_no_link_is_dead(page: Page) -> None:
    """Files and headings exist."""
    assert dead(page) == {}


@EACH_PAGE
def test_no_page_names_a_place_on_somebodys_machine(page: Page) -> None:
    """A page is for every machine: no home directory of anybody."""
    assert not [word for word in ("/home/", "/root/") if word in page.text]


def test_a_dead_link_is_found() -> None:
    """The check itself can fail: a missing file, a missing heading, a path out of the repository."""
    links = "[a](nowhere.md) [b](README.md#no-such-thing) [c](..) [d](#a-title) [e](docs) `[f](g)` [g](https://h.io)"
    page = Page(ROOT / "README.md", f"# A title\n\n{links}\n")
    assert dead(page) == {
        "nowhere.md": "there is no such file",
        "README.md#no-such-thing": "that page has no such heading",
        "..": "it is outside of the repository",
    }


def test_headings_are_anchors_as_github_makes_them() -> None:
    """Punctuation goes, spaces become dashes, what repeats is numbered."""
    page = Page(
        ROOT / "README.md", "# At 3 a.m.\n\n## `REGISTER` & co\n\n## Twice\n\n## Twice\n\n```\n# not one\n```\n"
    )
    assert page.anchors == {"at-3-am", "register--co", "twice", "twice-1"}
