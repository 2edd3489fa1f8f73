"""How rules make commands and changes: what each carries of the record and of who answered, in one place."""

from memgraph_ha.core.commands import CommitNoop, Demote, DropReplica, RegisterReplica
from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.core.topology import Member, Mode, Row, RowStatus
from memgraph_ha.core.view import View


def commit_noop(
    record: Record, run: RunId, standby: InstanceName | None = None, row: RowName | None = None
) -> CommitNoop:
    """The no-op commit on the recorded MAIN in that run: with a standby and its row it is the proof."""
    return CommitNoop(
        instance=record.main,
        run=run,
        generation=record.generation,
        standby=standby,
        row=row,
        database_uuid=record.database_uuid,
    )


def register(
    record: Record, run: RunId, replica: Member, replica_run: RunId, *, row: RowName, mode: Mode
) -> RegisterReplica:
    """The registration of that run of a replica on the recorded MAIN, itself in ``run``."""
    return RegisterReplica(
        instance=record.main,
        run=run,
        generation=record.generation,
        row=row,
        replica=replica.name,
        replica_run=replica_run,
        address=replica.replication,
        mode=mode,
        database_uuid=record.database_uuid,
    )


def drop(record: Record, run: RunId, row: Row, statuses: frozenset[RowStatus]) -> DropReplica:
    """The drop of that very row on the recorded MAIN, in one of those statuses only."""
    return DropReplica(
        instance=record.main,
        run=run,
        generation=record.generation,
        row=row.name,
        address=row.address,
        statuses=statuses,
    )


def demote(record: Record, member: Member, run: RunId) -> Demote:
    """The demotion of that run, which then listens where the platform says that it replicates."""
    port = int(member.replication.rpartition(":")[2])
    return Demote(instance=member.name, run=run, generation=record.generation, port=port)


def succession(view: View, record: Record, main: InstanceName, *, kind: ChangeKind, rule: str, reason: str) -> Change:
    """The line of history with which the next reign after that record's begins."""
    return Change(
        generation=record.generation + 1,
        main=main,
        previous=record.main,
        kind=kind,
        standby=None if record.standby is None else record.standby.instance,
        rule=rule,
        reason=reason,
        at=view.wall_s,
    )
