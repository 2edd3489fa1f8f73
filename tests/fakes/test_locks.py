"""The locks of a fake Memgraph: who has them next."""

from memgraph_ha.fakes.memgraph.locks import Lock, Waiter


def _held_with_waiter(*, barging: bool) -> tuple[Lock, Waiter, list[str]]:
    lock, woken = Lock("rpc", barging=barging), list[str]()
    assert lock.try_acquire()
    waiter = Waiter(exclusive=True, wake=lambda: woken.append("woken"))
    lock.enqueue(waiter)
    return lock, waiter, woken


def test_a_barging_lock_is_free_for_whoever_comes_first() -> None:
    """Who waits is woken and may try; who had it may have it again before that."""
    lock, waiter, woken = _held_with_waiter(barging=True)
    lock.release()
    assert (waiter.granted, woken) == (None, ["woken"])
    assert lock.try_acquire()


def test_a_lock_that_is_handed_over_cannot_be_snatched() -> None:
    """Whoever waits has it already when it is woken, however the threads are scheduled."""
    for barging, hand_over in ((True, True), (False, False)):
        lock, waiter, woken = _held_with_waiter(barging=barging)
        lock.release(hand_over=hand_over)
        assert (waiter.granted, woken) == (True, ["woken"])
        assert not lock.try_acquire()
        lock.release()
        assert lock.try_acquire()


def test_handed_over_to_nobody_it_is_free() -> None:
    """As any other release."""
    lock = Lock("rpc", barging=True)
    assert lock.try_acquire()
    lock.release(hand_over=True)
    assert not lock.busy
