"""What a lease says, and when another controller may take it: no I/O, no clock of its own, the same for every store."""

from attrs import frozen

from memgraph_ha.core.policy import Policy

DURATION_RANGE_S = (2.0, 600.0)
"""What policy ``lease_duration_s`` allows."""


@frozen(kw_only=True)
class LeaseNote:
    """What a holder writes into the lease.

    Attributes:
        holder: Its name, for people.
        session: A random name of the holder's `Campaign`: tells its own writes from all others.
        term: How many times the lease changed hands, this term included.
        renewals: How often it was renewed in this term; makes every renewal a change that others can see.
        duration_s: How long the holder relies on it without renewing.
        floor: The highest generation that any holder saw.
        released: The holder gave it back and relays nothing.
        clean: False while a permit from before somebody removed the lease may still live.
        controllers: Who may lead, for the failsafe; empty if the holder has none.
    """

    holder: str
    session: str
    term: int
    renewals: int
    duration_s: float
    floor: int
    released: bool
    clean: bool
    controllers: str = ""


@frozen(kw_only=True)
class Sight:
    """What one look at the lease showed.

    Attributes:
        token: The version of what is there, for a compare-and-set; None if nothing is.
        note: What it says; None if nothing is there, or if nothing in it makes sense.
        ever: Whether there ever was a lease here.
        beat: What differs after every renewal, and after nothing else; None if nothing is there.
        trouble: Why it makes no sense.
        gone: Why its holder is certainly gone and relays nothing any more; empty if that is not known.
    """

    token: str | None
    note: LeaseNote | None
    ever: bool
    beat: str | None = None
    trouble: str = ""
    gone: str = ""


@frozen(kw_only=True)
class Claim:
    """Leave to take the lease.

    Attributes:
        clean: Whether no permit of anybody else can live any more.
        why: One sentence for the log.
    """

    clean: bool
    why: str


def may_take(sight: Sight, *, unchanged_s: float, session: str, policy: Policy) -> Claim | None:
    """Judge whether the lease may be taken now.

    Args:
        sight: What stands there.
        unchanged_s: How long this process has seen exactly that, on its own clock.
        session: Our own.
        policy: ``lease_duration_s`` and ``lease_renew_s``.

    Returns:
        None if somebody may still rely on it.
    """
    note = sight.note
    if sight.token is None and not sight.ever:
        return Claim(clean=True, why="there never was one")
    if note is None:
        # A living holder puts its lease back at its next renewal: give it the time, and nobody is cut off.
        patience_s = 2 * policy.lease_renew_s if sight.token is None else policy.lease_duration_s
        what = "it was removed" if sight.token is None else f"it was overwritten ({sight.trouble})"
        return Claim(clean=False, why=what) if unchanged_s >= patience_s else None
    if unchanged_s >= max(note.duration_s, policy.lease_duration_s):
        return Claim(clean=True, why=f"{note.holder} did not renew it for {unchanged_s:.1f} s")
    # Below, no time has passed: what an unclean term was waiting for is still to be waited for.
    if note.released:
        return Claim(clean=note.clean, why=f"{note.holder} released it")
    if note.session == session:
        return Claim(clean=note.clean, why="it was ours, and ran out")
    if sight.gone:
        return Claim(clean=note.clean, why=sight.gone)
    return None
