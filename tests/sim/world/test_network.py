"""Links: what is cut, held, slow, lost and repeated, in each direction by itself."""

import random

import pytest

from memgraph_ha.fakes.memgraph.virtual import World
from memgraph_ha.fakes.memgraph.virtual_net import LATENCY_S, RETRANSMIT_S, Network, Reach


class Post:
    """Two endpoints, a and b, and when what was sent from one to the other arrived."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.net = Network(self.world, random.Random(seed))
        self.came: list[tuple[str, float]] = []

    def send(self, text: str, source: str = "a", target: str = "b", patience_s: float = 60.0) -> None:
        """Send a text."""
        self.net.carry(source, target, lambda: self.came.append((text, round(self.world.now, 4))), patience_s)

    def texts(self, seconds: float = 1.0) -> list[str]:
        """What has come after so long."""
        self.world.run(seconds)
        return [text for text, _ in self.came]


def test_a_link_never_spoken_of_is_quick() -> None:
    """Half a millisecond, one way."""
    post = Post()
    post.send("x")
    post.texts()
    assert post.came == [("x", LATENCY_S)]


def test_a_cut_link_delivers_after_it_is_mended_what_its_sender_still_waits_for() -> None:
    """The kernel sends again what was not acknowledged; what was given up meanwhile never comes."""
    post = Post()
    post.net.cut("a", "b")
    post.send("patient")
    post.send("impatient", patience_s=2)
    assert post.texts(5) == []
    post.net.heal("a", "b")
    assert post.texts() == ["patient"]
    assert post.came[0][1] >= 5 + RETRANSMIT_S


def test_a_cut_can_be_in_one_direction_only() -> None:
    """Bytes go out, and no answer comes back; a new connection needs both directions."""
    post = Post()
    post.net.cut("b", "a", both=False)
    post.send("out")
    post.send("back", "b", "a")
    assert post.texts() == ["out"]
    assert post.net.path("a", "b") is Reach.BLACK_HOLE
    assert post.net.path("b", "a") is Reach.BLACK_HOLE


def test_a_refusing_link_loses_what_is_sent_and_tells_who_has_connections() -> None:
    """A reset is for good: nothing comes later."""
    post = Post()
    told: list[tuple[str, str]] = []
    post.net.on_refusal = lambda source, target: told.append((source, target))
    post.net.cut("a", "b", Reach.REFUSED)
    post.send("x")
    post.net.cut("a", "b", Reach.OPEN)
    assert post.texts() == []
    assert told == [("a", "b"), ("b", "a")]


def test_a_slow_link_takes_its_time_with_jitter() -> None:
    """Latency, and up to the jitter more."""
    post = Post()
    post.net.slow("a", "b", 2.0, 1.0)
    for text in "xyz":
        post.send(text)
    post.texts(4)
    times = [at_s for _, at_s in post.came]
    assert all(2.0 <= at_s <= 3.0 for at_s in times)
    assert len(set(times)) == len(times)


def test_a_lossy_link_is_late_by_retransmissions_and_loses_nothing() -> None:
    """0.2 s, then 0.4, 0.8 and so on: TCP."""
    post = Post()
    post.net.lossy("a", "b", 0.5)
    for number in range(100):
        post.send(str(number))
    post.texts(30)
    assert len(post.came) == 100
    late = {round(at_s - LATENCY_S, 3) for _, at_s in post.came}
    assert {0.0, 0.2, 0.6} <= late <= {0.0, 0.2, 0.6, 1.4, 3.0, 6.2, 12.6}


def test_what_is_held_comes_in_order_when_it_is_released() -> None:
    """And only what goes in that direction is held."""
    post = Post()
    post.net.hold("a", "b")
    for text in "xyz":
        post.send(text)
    post.send("back", "b", "a")
    assert post.texts(10) == ["back"]
    post.net.release("a", "b")
    assert post.texts() == ["back", "x", "y", "z"]


def test_what_may_come_twice_does() -> None:
    """Only requests and events are carried so."""
    post = Post()
    post.net.duplicate("a", "b", 1.0)
    post.net.carry_once_or_twice("a", "b", lambda: post.came.append(("event", post.world.now)))
    post.send("query")
    assert post.texts() == ["event", "event", "query"]


def test_answers_can_be_lost_while_requests_arrive() -> None:
    """As many as were ordered, and no more."""
    post = Post()
    post.net.drop_answers("a", "b", 2)
    for text in "xyz":
        post.net.answer("b", "a", lambda text=text: post.came.append((text, 0.0)))  # type: ignore[misc]
    post.send("request")
    assert post.texts() == ["z", "request"]


@pytest.mark.parametrize(("source", "target", "left"), [("a", None, ["c"]), ("a", "b", ["a", "c"]), (None, None, [])])
def test_healing_is_for_a_pair_for_an_endpoint_or_for_all(
    source: str | None, target: str | None, left: list[str]
) -> None:
    """What is not named stays broken."""
    post = Post()
    post.net.cut("a", "b")
    post.net.cut("a", "x")
    post.net.cut("c", "x")
    post.net.heal(source, target)
    broken = sorted(name for name in ("a", "c") if post.net.reach(name, "x") is Reach.BLACK_HOLE)
    assert broken == left
    assert post.net.reach("a", "b") is Reach.OPEN
