"""The words of the language of expectations: what can be asked of the cluster at an instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record_json import dump_record
from memgraph_ha.sim.checks.liveness import unwhole
from memgraph_ha.sim.scenario.expressions import Answer, Question

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

SERVED_S: Final = 2.0
"""Who serves has acknowledged something within so long."""

QUESTIONS: Final[dict[str, Question]] = {}
"""Every word by its name, in the order of the reference."""


def _question(name: str, text: str, *args: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    def enter(ask: Callable[..., Answer]) -> Callable[..., Answer]:
        QUESTIONS[name] = Question(args=args, text=text, ask=ask)
        return ask

    return enter


# --- the record


@_question("main", "whose reign it is by the record; null before there is one")
def _main(stage: Stage) -> Answer:
    return None if stage.record is None else stage.record.main


@_question("standby", "the named standby; null if nobody is named")
def _standby(stage: Stage) -> Answer:
    named = None if stage.record is None else stage.record.standby
    return None if named is None else named.instance


@_question("fallback", "the fallback of the reign; null if there is none")
def _fallback(stage: Stage) -> Answer:
    named = None if stage.record is None else stage.record.fallback
    return None if named is None else named.instance


@_question("generation", "the number of the reign; 0 before there is a record")
def _generation(stage: Stage) -> Answer:
    return 0.0 if stage.record is None else float(stage.record.generation)


@_question("opened", "whether the reign opened")
def _opened(stage: Stage) -> Answer:
    return stage.record is not None and stage.record.opened


@_question("unprotected", "whether the record says that MAIN may acknowledge with no standby")
def _unprotected(stage: Stage) -> Answer:
    return stage.record is not None and stage.record.unprotected


@_question("kind", "how the last reign began: failover, switchover, repromote, fallback, forced, adopt, bootstrap")
def _kind(stage: Stage) -> Answer:
    return stage.record.history[-1].kind.value if stage.record is not None and stage.record.history else None


@_question("kinds", "how many reigns began that way, in the record's history", "kind")
def _kinds(stage: Stage, kind: str) -> Answer:
    changes = () if stage.record is None else stage.record.history
    return float(sum(change.kind.value == kind for change in changes))


@_question("unplanned", "how many unplanned reigns began, in the record's history")
def _unplanned(stage: Stage) -> Answer:
    changes = () if stage.record is None else stage.record.history
    return float(sum(change.kind.unplanned for change in changes))


@_question("reigns", "how many reigns began since the last `mark`")
def _reigns(stage: Stage) -> Answer:
    return float(stage.reigns - stage.marked.reigns)


@_question("switching", "whether the record says that a switchover is under way")
def _switching(stage: Stage) -> Answer:
    return stage.record is not None and stage.record.switchover is not None


@_question("to_rebuild", "how many instances the record says must be rebuilt")
def _to_rebuild(stage: Stage) -> Answer:
    return 0.0 if stage.record is None else float(len(stage.record.rebuild))


@_question("record_is_ours", "whether what is stored is what a controller wrote last")
def _record_is_ours(stage: Stage) -> Answer:
    return stage.record is not None and stage.cluster.store.text == dump_record(stage.record)


# --- instances


@_question("up", "whether a process lives there", "instance")
def _up(stage: Stage, name: InstanceName) -> Answer:
    return stage.cluster.up(name)


@_question("answers", "whether a new connection there would be answered", "instance")
def _answers(stage: Stage, name: InstanceName) -> Answer:
    return stage.cluster.answers(name)


@_question("role", "'main' or 'replica', as the instance is; null if no process lives there", "instance")
def _role(stage: Stage, name: InstanceName) -> Answer:
    if not stage.cluster.up(name):
        return None
    return "main" if stage.cluster.world[name].is_main else "replica"


@_question("starts", "how often its process was started since the last `mark`", "instance")
def _starts(stage: Stage, name: InstanceName) -> Answer:
    return float(stage.cluster.lives[name] - dict(stage.marked.lives).get(name, 0))


@_question("status", "what MAIN says of its row: ready, replicating, recovery, invalid, diverged, {}; null: none", "of")
def _status(stage: Stage, name: InstanceName) -> Answer:
    row = stage.row(name)
    return None if row is None else "{}" if row.half else row.state.value


@_question(
    "numbered", "whether MAIN's row of it bears the record's present row number, so that it could be named", "of"
)
def _numbered(stage: Stage, name: InstanceName) -> Answer:
    row = stage.row(name)
    return row is not None and stage.record is not None and row.name == stage.record.standby_row(name)


@_question("mode", "the mode of its row on MAIN: strict_sync or async; null if it has none", "of")
def _mode(stage: Stage, name: InstanceName) -> Answer:
    row = stage.row(name)
    return None if row is None else row.mode.value.lower()


@_question("holds", "whether it has every write that was acknowledged or counts", "instance")
def _holds(stage: Stage, name: InstanceName) -> Answer:
    if not stage.cluster.up(name):
        return False
    return {ack.write for ack in stage.cluster.acks} | stage.cluster.ledger.by_hand <= stage.cluster.ids(name)


@_question("keeps", "whether it has what was last written by hand", "instance")
def _keeps(stage: Stage, name: InstanceName) -> Answer:
    return stage.cluster.up(name) and stage.written <= stage.cluster.ids(name)


@_question("filled", "whether it holds the cluster's data set", "instance")
def _filled(stage: Stage, name: InstanceName) -> Answer:
    record = stage.record
    return (
        record is not None
        and stage.cluster.up(name)
        and (stage.cluster.world[name].database_uuid == record.database_uuid)
    )


@_question("has_trigger", "whether a trigger of that name is there", "instance", "name")
def _has_trigger(stage: Stage, name: InstanceName, trigger: str) -> Answer:
    return stage.cluster.up(name) and trigger in stage.cluster.world[name].triggers


@_question("has_user", "whether an account of that name is there", "instance", "name")
def _has_user(stage: Stage, name: InstanceName, user: str) -> Answer:
    return stage.cluster.up(name) and user in stage.cluster.world[name].users


@_question("rebuilds", "how many instances were rebuilt since the last `mark`")
def _rebuilds(stage: Stage) -> Answer:
    return float(len(stage.cluster.rebuilds) - stage.marked.rebuilds)


@_question("rebuilt", "whether it was rebuilt since the last `mark`", "instance")
def _rebuilt(stage: Stage, name: InstanceName) -> Answer:
    return name in [who for _, who in stage.cluster.rebuilds[stage.marked.rebuilds :]]


# --- gateways and clients


@_question("rw", "to whom the read/write gateway is open; null if it is shut")
def _rw(stage: Stage) -> Answer:
    now_s, gates = stage.cluster.now, stage.cluster.gates.values()
    return next((permit.instance for permit in gates if permit is not None and now_s < permit.valid_until_s), None)


@_question("reads", "whether a gateway lets readers in there", "instance")
def _reads(stage: Stage, name: InstanceName) -> Answer:
    return any(name in read for read in stage.cluster.reads.values())


@_question("quiet", "whether a gateway holds clients for a quiet moment")
def _quiet(stage: Stage) -> Answer:
    return bool(stage.cluster.quiet)


@_question("quiets", "how many quiet moments began since the last `mark`")
def _quiets(stage: Stage) -> Answer:
    return float(stage.quiets - stage.marked.quiets)


@_question("acks", "how many writes were acknowledged since the last `mark`")
def _acks(stage: Stage) -> Answer:
    return float(max(0, len(stage.cluster.acks) - stage.marked.acks))


@_question("pause", "the longest time since the last `mark` in which nothing was acknowledged, seconds")
def _pause(stage: Stage) -> Answer:
    return stage.pause_s(stage.marked.at_s)


@_question("serves", "whether a write was acknowledged within the last 2 seconds")
def _serves(stage: Stage) -> Answer:
    acks = stage.cluster.acks
    return bool(acks) and stage.cluster.now - acks[-1].at_s < SERVED_S


@_question("given_up", "how many acknowledged writes a human gave up by name")
def _given_up(stage: Stage) -> Answer:
    return float(len(stage.cluster.ledger.forgiven))


# --- controllers


@_question("leader", "who holds the lease; null if nobody does")
def _leader(stage: Stage) -> Answer:
    return stage.cluster.lease.holder


@_question("hold", "what the leader waits for, by name, e.g. 'NoSafeCandidate'; null if for nothing")
def _hold(stage: Stage) -> Answer:
    decision = stage.decision
    return None if decision is None or decision.hold is None else decision.hold.word


@_question("rule", "the id of the rule by which the leader decided last")
def _rule(stage: Stage) -> Answer:
    return None if stage.decision is None else stage.decision.rule


@_question("reason", "whether the leader's reason has these words in it", "words")
def _reason(stage: Stage, words: str) -> Answer:
    return stage.decision is not None and words in stage.decision.reason


@_question("said", "whether a controller ever waited for that, by name", "hold")
def _said(stage: Stage, word: str) -> Answer:
    return any(hold.word == word for controller in stage.controllers for hold in controller.holds)


@_question("fired", "whether that rule ever decided", "rule")
def _fired(stage: Stage, rule: str) -> Answer:
    return any(rule in controller.fired for controller in stage.controllers)


@_question("sent", "how often that command was sent since the origin, e.g. 'promote'", "command")
def _sent(stage: Stage, command: str) -> Answer:
    return float(stage.sent[command])


@_question("whole", "whether the cluster is as it should be: one MAIN serves, its standby is named, all are attached")
def _whole(stage: Stage) -> Answer:
    return unwhole(stage.cluster) is None
