"""The verbs that change something: switchover, failover, restart, pause, resume, reinit, adopt, instances."""

from typing import Final

import click
from attrs import evolve
from rich.text import Text

from memgraph_ha.operate.asking import Wish, ask, look, rehearse, rehearse_only, show_main
from memgraph_ha.operate.documents import Cluster, Outcome, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.paint import BAD
from memgraph_ha.operate.session import (
    Session,
    asks_cluster,
    check_name,
    complete_instance,
    dry_run_option,
    instance_argument,
    wait_option,
    who_options,
    yes_option,
)

_QUICK_S: Final = 10.0
"""What needs nothing but a written record is answered within this."""


@click.command(
    cls=OperatorCommand,
    short_help="Make another instance MAIN, planned: nothing is lost.",
    examples=(
        "memgraph-ha switchover",
        'memgraph-ha switchover --to memgraph-1 --reason "kernel update"',
        "memgraph-ha switchover --dry-run",
        "memgraph-ha switchover --no-wait",
    ),
)
@click.option("--to", "target", metavar="INSTANCE", shell_complete=complete_instance, help="Whom. [the standby]")
@click.option("--wait/--no-wait", "waiting", default=True, help="Wait until it is done, or only until it is under way.")
@dry_run_option
@wait_option
@who_options
@asks_cluster
async def switchover(
    session: Session, *, target: str | None, waiting: bool, dry_run: bool, wait_s: float, by: str, reason: str
) -> Exit:
    """Make the standby MAIN, and MAIN the standby.

    New connections are held meanwhile, not refused; open sessions are cut when MAIN has ended their transactions.
    Nothing can be lost, so nothing is asked. Refused by name if the target may lack an acknowledged write.
    """
    before = await look(session)
    if target is not None:
        check_name(target, before.names)
    wish = Wish(
        verb="switchover",
        body={"by": by, "reason": reason} | ({"target": target} if target is not None else {}),
        what=f"switchover to {target}" if target is not None else "switchover",
        wait_s=wait_s,
        done=lambda now: _switched(before, now, target),
        taken=None if waiting else lambda now: now.switchover is not None or _switched(before, now, target),
    )
    if dry_run:
        return await rehearse_only(session, wish)
    code = await ask(session, wish)
    if waiting:
        await show_main(session)
    return code


def _switched(before: Cluster, now: Cluster, target: str | None) -> bool:
    """Whether another reign, of whom it was asked for, is open."""
    other = now.main == target if target is not None else now.main != before.main
    return other and now.generation != before.generation and now.rw.open


@click.command(
    cls=OperatorCommand,
    short_help="Make an instance MAIN although acknowledged writes may be lost.",
    examples=(
        "memgraph-ha failover --accept-data-loss memgraph-1 --dry-run",
        "memgraph-ha failover --accept-data-loss memgraph-1",
        'memgraph-ha failover --accept-data-loss memgraph-1 --yes --reason "disk of memgraph-0 is gone"',
    ),
)
@click.option("--accept-data-loss", "accepted", is_flag=True, help="Required: what INSTANCE lacks is given up.")
@instance_argument
@dry_run_option
@yes_option
@wait_option
@who_options
@asks_cluster
async def failover(
    session: Session, *, instance: str, accepted: bool, dry_run: bool, sure: bool, wait_s: float, by: str, reason: str
) -> Exit:
    """Make INSTANCE MAIN, whatever it lacks.

    For when MAIN is gone for good and `memgraph-ha status` says NoSafeCandidate. Prints first what could be lost, then
    asks. A planned change that loses nothing is `memgraph-ha switchover`.
    """
    if not accepted:
        raise OperateError(
            Exit.USAGE,
            "a failover by hand can lose acknowledged writes: say so with --accept-data-loss, "
            "or use `memgraph-ha switchover`, which loses nothing",
        )
    before = await look(session)
    check_name(instance, before.names)
    wish = Wish(
        verb="failover",
        body={"target": instance, "accept_data_loss": True, "by": by, "reason": reason},
        what=f"failover to {instance}",
        wait_s=wait_s,
        done=lambda now: _switched(before, now, instance),
    )
    if dry_run:
        return await rehearse_only(session, wish)
    await _confirm(session, wish, f"Make {instance} MAIN?", sure=sure, typed=instance)
    code = await ask(session, wish)
    await show_main(session)
    return code


async def _confirm(session: Session, wish: Wish, question: str, *, sure: bool, typed: str | None = None) -> None:
    """Print what would be done or lost, and ask.

    Raises:
        OperateError: It would be refused, or the answer was no.
    """
    raw = await rehearse(session, wish)
    outcome = structured(Outcome, raw)
    if not outcome.ok:
        raise OperateError(Exit.UNWELL, outcome.text, raw)
    session.output.aside(Text.assemble(("Before you agree: ", BAD), outcome.text))
    await session.output.confirm(question, sure=sure, typed=typed)


@click.command(
    cls=OperatorCommand,
    short_help="Restart one instance.",
    examples=("memgraph-ha restart memgraph-2", 'memgraph-ha restart memgraph-0 --yes --reason "new flags"'),
)
@instance_argument
@dry_run_option
@yes_option
@wait_option
@who_options
@asks_cluster
async def restart(
    session: Session, *, instance: str, dry_run: bool, sure: bool, wait_s: float, by: str, reason: str
) -> Exit:
    """Restart INSTANCE's process. Asks first if it is MAIN, since clients then notice."""
    before = await look(session)
    check_name(instance, before.names)
    wish = _of_one("restart", instance, wait_s, by, reason)
    if dry_run:
        return await rehearse_only(session, wish)
    if instance == before.main:
        await _confirm(session, wish, f"Restart {instance}, which is MAIN?", sure=sure)
    return await ask(session, wish)


@click.command(
    cls=OperatorCommand,
    short_help="Throw an instance's data away and fill it anew from MAIN.",
    examples=(
        "memgraph-ha reinit memgraph-2",
        "memgraph-ha reinit memgraph-2 --dry-run",
        "memgraph-ha reinit memgraph-2 --yes",
    ),
)
@instance_argument
@dry_run_option
@yes_option
@wait_option
@who_options
@asks_cluster
async def reinit(
    session: Session, *, instance: str, dry_run: bool, sure: bool, wait_s: float, by: str, reason: str
) -> Exit:
    """Give up what only INSTANCE holds, and fill it anew from MAIN.

    For a replica that diverged, or whose data cannot be used. Its old files are moved aside, dated, not deleted.
    """
    check_name(instance, (await look(session)).names)
    wish = _of_one("reinit", instance, wait_s, by, reason)
    if dry_run:
        return await rehearse_only(session, wish)
    await _confirm(session, wish, f"Give up what only {instance} holds?", sure=sure)
    return await ask(session, wish)


@click.command(
    cls=OperatorCommand,
    short_help="Say that an instance's data counts, where the controller may not guess.",
    examples=(
        "memgraph-ha adopt memgraph-0",
        "memgraph-ha adopt memgraph-0 --dry-run",
        "memgraph-ha adopt memgraph-0 --yes",
    ),
)
@instance_argument
@dry_run_option
@yes_option
@wait_option
@who_options
@asks_cluster
async def adopt(
    session: Session, *, instance: str, dry_run: bool, sure: bool, wait_s: float, by: str, reason: str
) -> Exit:
    """Begin a reign of INSTANCE with the data that it holds; all others become its replicas.

    For AmbiguousBootstrap, DataSetReplaced and RecordRegressed: `memgraph-ha status` says which, and what each holds.
    """
    before = await look(session)
    check_name(instance, before.names)
    wish = evolve(_of_one("adopt", instance, wait_s, by, reason), done=lambda now: _switched(before, now, instance))
    if dry_run:
        return await rehearse_only(session, wish)
    await _confirm(session, wish, f"Adopt {instance}, giving up what only the others hold?", sure=sure, typed=instance)
    code = await ask(session, wish)
    await show_main(session)
    return code


def _of_one(verb: str, instance: str, wait_s: float, by: str, reason: str) -> Wish:
    return Wish(
        verb=verb,
        body={"instance": instance, "by": by, "reason": reason},
        what=f"{verb} {instance}",
        wait_s=wait_s,
    )


@click.command(
    cls=OperatorCommand,
    short_help="Stop failover and repair until resumed.",
    examples=('memgraph-ha pause --reason "storage migration"', "memgraph-ha pause && do-it; memgraph-ha resume"),
)
@who_options
@asks_cluster
async def pause(session: Session, *, by: str, reason: str) -> Exit:
    """Let nobody take over and repair nothing until `memgraph-ha resume`. MAIN serves on."""
    return await ask(
        session,
        Wish(
            verb="pause",
            body={"by": by, "reason": reason},
            what="pause",
            wait_s=_QUICK_S,
            done=lambda now: now.paused is not None,
        ),
    )


@click.command(
    cls=OperatorCommand,
    short_help="End a pause.",
    examples=("memgraph-ha resume", 'memgraph-ha resume --reason "migration is done"'),
)
@who_options
@asks_cluster
async def resume(session: Session, *, by: str, reason: str) -> Exit:
    """Let the controller fail over and repair again."""
    return await ask(
        session,
        Wish(
            verb="resume",
            body={"by": by, "reason": reason},
            what="resume",
            wait_s=_QUICK_S,
            done=lambda now: now.main is not None and now.paused is None,
        ),
    )


@click.command(
    cls=OperatorCommand,
    short_help="Grow or shrink a local cluster.",
    examples=("memgraph-ha instances 5", "memgraph-ha instances 3 --yes"),
)
@click.argument("count", type=click.IntRange(2, 9))
@yes_option
@wait_option
@asks_cluster
async def instances(session: Session, *, count: int, sure: bool, wait_s: float) -> Exit:
    """Run COUNT instances, 2 to 9, in a `memgraph-ha local`. Asks before instances go.

    On Kubernetes: kubectl scale statefulset.
    """
    now = await look(session)
    leaving = now.names[count:]
    if leaving:
        await session.output.confirm(f"Remove {', '.join(leaving)}?", sure=sure)
    async with session.client() as client:
        raw = await client.change("PUT", "instances", {"count": count}, wait_s=wait_s)
    outcome = structured(Outcome, raw)
    if not outcome.ok:
        raise OperateError(Exit.UNWELL, outcome.text, raw)
    session.output.document(raw)
    session.output.show(Text(outcome.text))
    return Exit.OK
