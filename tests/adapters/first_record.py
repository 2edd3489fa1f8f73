"""The record of a reign that has just begun, for tests of what keeps it."""

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Change, ChangeKind, Record


def first_record(main: InstanceName, *, generation: int = 1, by: str = "") -> Record:
    """Make the record of a reign that nobody opened yet: no standby, no fallback, no level.

    Args:
        main: Whose reign.
        generation: Its number.
        by: Who asked for it; nobody if empty.
    """
    change = Change(
        generation=generation,
        main=main,
        previous=None,
        kind=ChangeKind.ADOPT,
        standby=None,
        rule="B20",
        reason="a test",
        at=1.0,
        by=by,
    )
    return Record(
        cluster="c",
        generation=generation,
        main=main,
        main_run=None,
        opened=False,
        standby=None,
        fallback=None,
        unprotected=False,
        row_seq=0,
        rebuild=frozenset(),
        database_uuid="d",
        level=(),
        history=(change,),
    )
