"""The status page: well formed, self-contained, true, and closed to whatever a name or a reason may hold."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from attrs import define, evolve, field

from memgraph_ha.api.page_words import lasted
from memgraph_ha.core.record import Change, ChangeKind, Pause
from memgraph_ha.markup import h, prose
from tests.api.pictures import PICTURES
from tests.api.rig import SceneControl, served
from tests.core.changes import recorded, scene
from tests.core.views import HEALTHY, M0, M1, WALL, Scene

pytestmark = pytest.mark.trio

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&`"
_OPEN = {"meta", "link", "br", "hr"}


@define
class Page(HTMLParser):
    """Reads a page, and fails on what is not nested as it should be."""

    stack: list[str] = field(factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(factory=list)
    texts: list[str] = field(factory=list)
    raw: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Begin as the parser begins."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in _OPEN:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without children."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the one that was opened last."""
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        inside = self.stack[-1] if self.stack else ""
        if inside in ("script", "style"):
            self.raw[inside] = data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that is read."""
        return " ".join(" ".join(self.texts).split())


async def page_of(at: Scene, **changes: object) -> tuple[Page, str, str]:
    """Fetch the page of a scene: parsed, as text, and its content policy."""
    async with served(evolve(SceneControl(at), **changes)) as serving:  # type: ignore[arg-type]  # names are fields
        answer = await serving.client.get("/", headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(answer.text)
    page.close()
    assert page.stack == []
    return page, answer.text, answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", PICTURES)
async def test_the_page_is_well_formed_and_self_contained(name: str) -> None:
    """Nothing is loaded from anywhere; no style or handler stands in an attribute, so that the policy can forbid it."""
    page, text, policy = await page_of(PICTURES[name])
    for tag, attributes in page.tags:
        assert "style" not in attributes
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href"):
            target = attributes.get(key) or ""
            assert not re.match(r"(https?:)?//", target), (tag, target)
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert text.count("<script>") == 1
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        ET.fromstring(svg)  # noqa: S314 - our own drawing, made a line ago


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("healthy", ["Writes flow, protected", "m1 is its proven standby", "Nothing to mend"]),
        ("lost", ["Writes wait", "m0 is lost", "New connections wait", "Now: MAIN m0 is lost"]),
        ("begun", ["Writes wait", "Reign 5 of m1 is not open yet", "not main yet"]),
        ("unprotected", ["Writes flow, unprotected", "m1 has the only certain copy", "Unprotected"]),
        ("nobody", ["Writes wait", "NoSafeCandidate", "memgraph-ha failover --accept-data-loss", "no process"]),
        ("paused", ["failover is paused", "Paused by alice 12 min 34 s ago: moving the rack", "memgraph-ha resume"]),
        ("switching", ["Switching over to m1", "Asked by bob (kernel update)"]),
        ("five", ["m3", "catching up", "m4", "not attached", "1234 behind"]),
        ("empty", ["Writes wait", "No reign has begun", "no MAIN"]),
        ("silent", ["Not healthy: m2", "it flushes every 100000 commits"]),
    ],
)
async def test_the_page_says_how_things_stand(name: str, says: list[str]) -> None:
    """The verdict, what waits and which command helps, drawn without a line of script."""
    page, _, _ = await page_of(PICTURES[name])
    for text in says:
        assert text in page.text


async def test_a_hold_links_to_its_runbook_page() -> None:
    """From this very server: nothing else may be reachable."""
    page, _, _ = await page_of(PICTURES["nobody"])
    assert ("a", {"href": "/runbook/no-safe-candidate.md"}) in page.tags


async def test_a_follower_and_a_loop_that_stands_still_say_so_first() -> None:
    """Whoever looks at the wrong controller must see that at once."""
    page, _, _ = await page_of(HEALTHY.but(scene(lease=None)), leader="controller-b")
    assert "This controller stands by controller-b leads: ask it." in page.text
    page, _, _ = await page_of(HEALTHY, tick_age_s=7.0)
    assert "This controller stands still" in page.text
    page, _, _ = await page_of(HEALTHY, observe_only=True)
    assert "observe only" in page.text


async def test_nothing_that_people_write_can_break_out() -> None:
    """Names, reasons and who asked come from outside: they are text, wherever they stand."""
    began = Change(
        generation=4,
        main=M0,
        previous=M1,
        kind=ChangeKind.FORCED,
        standby=None,
        rule="L30",
        reason=EVIL,
        at=WALL,
        by=EVIL,
    )
    at = HEALTHY.but(recorded(history=(began,), paused=Pause(by=EVIL, reason=EVIL, at=WALL)))
    page, text, _ = await page_of(at, cluster=EVIL, identity=EVIL, leader=EVIL)
    assert text.count("<script>") == 1
    assert not any(tag == "img" for tag, _ in page.tags)
    assert EVIL.partition("`")[0] in page.text


async def test_old_reigns_are_folded_away() -> None:
    """Sixty-four lines would hide the rest; the last eight are open."""
    history = tuple(
        Change(
            generation=number,
            main=M0,
            previous=M1,
            kind=ChangeKind.SWITCHOVER,
            standby=M0,
            rule="M30",
            reason="r",
            at=WALL - 100 + number,
        )
        for number in range(1, 65)
    )
    page, text, _ = await page_of(HEALTHY.but(recorded(history=history)))
    assert "56 older" in page.text
    assert text.index("reign 64 ") < text.index("reign 57 ") < text.index("56 older") < text.index("reign 56 ")


async def test_who_accepts_no_html_gets_the_list_of_endpoints() -> None:
    """As the predecessor's callers expect."""
    async with served(SceneControl(HEALTHY)) as at:
        said = (await at.client.get("/")).json()
    assert set(said) == {"service", "version", "endpoints", "timestamp"}
    assert "/api/v1/status" in said["endpoints"]


async def test_markup_escapes_texts_attributes_and_keeps_markup() -> None:
    """One place makes every element."""
    assert h("a", "<b>", href='"&<') == '<a href="&quot;&amp;&lt;">&lt;b&gt;</a>'
    assert h("p", h("b", "x"), None, hidden=True, class_="y", lang=None) == '<p hidden class="y"><b>x</b></p>'
    assert prose("set `a<b` now") == "set <code>a&lt;b</code> now"
    assert prose("an odd ` one") == "an odd ` one"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86400 * 4 + 3700, "4 d 1 h"),
    ],
)
async def test_lengths_are_words(seconds: float, words: str) -> None:
    """Two units at most."""
    assert lasted(seconds) == words
