"""What every document of the API means, field by field: the OpenAPI document and the reference are made from this."""

from typing import Final

from memgraph_ha.api.doctor import Level
from memgraph_ha.api.schema import (
    Schema,
    anything,
    by_name,
    fields,
    flag,
    many,
    maybe,
    named,
    number,
    text,
    whole,
)
from memgraph_ha.api.standing import State
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.view import LossKind

_WALL = "wall clock, seconds since 1970"


def _document(name: str) -> Schema:
    return {"const": f"memgraph-ha/{name}/1", "description": "name and version of this schema"}


def _since(since: Schema) -> Schema:
    return fields(
        "Something that waits, and what an operator must know of it (docs/reference/holds.md).",
        name=text("name of the hold, e.g. `NoSafeCandidate`"),
        rule=text("id of the rule that names it"),
        reason=text("what was seen, one sentence"),
        since=since,
        blocked=text("what does not happen meanwhile"),
        ends=text("what would end it"),
        command=text("which command helps; empty if only facts do"),
        risk=text("how much could be lost, or that nothing can"),
        page=text("its runbook page: GET /runbook/{page}"),
    )


_ROW: Final = fields(
    "MAIN's registration of a replica, as SHOW REPLICAS has it.",
    name=text("registered name"),
    mode=maybe(text("`ASYNC`, `SYNC` or `STRICT_SYNC`; null: a word that is not known")),
    status=text("`ready`, `replicating`, `recovery`, `invalid`, `diverged`, `{}` (half registered) or `?`"),
    ts=maybe(whole("MAIN's idea of the replica's last durable timestamp; null in a half row")),
    behind=maybe(whole("replica minus MAIN in Memgraph timestamps: negative is lag; null in a half row")),
)

_INSTANCE: Final = fields(
    "One instance. What was not seen in its present run is null.",
    name=text("its name"),
    state=text("what it is to its cluster now", words=tuple(state.value for state in State)),
    healthy=flag("it answers, and it is the verified MAIN or a REPLICA whose row takes commits"),
    role=maybe(text("what SHOW REPLICATION ROLE answered last: `MAIN` or `REPLICA`")),
    run=maybe(text("this life of its process, as Bolt names it")),
    incarnation=maybe(text("the platform's name for its process; null: there is none")),
    bolt=text("host:port that speaks Bolt"),
    replication=text("host:port that MAIN replicates to"),
    in_pair=flag("whether it may be MAIN"),
    is_main=flag("whether the record names it MAIN"),
    is_standby=flag("whether the record names it standby"),
    row=maybe(named("Row", "MAIN's row to it; null for MAIN, or if there is none or it is not known")),
    data_set=maybe(text("its database_uuid")),
    objects=maybe(whole("vertices and edges together")),
    storage_mode=maybe(text("its storage mode")),
    version=maybe(text("its Memgraph version")),
    wal=maybe(flag("--storage-wal-enabled")),
    flush_every=maybe(whole("--storage-wal-file-flush-every-n-tx")),
    init_file=maybe(text("--init-file; empty if it has none")),
    port_open=maybe(flag("whether its replication port took a connection when last tried")),
    answered_s=maybe(number("age of its last answer, seconds")),
    silent_s=number("for how long its probes have gone unanswered, seconds; 0 if the last was answered"),
    needs_rebuild=flag("the record says that its data must be rebuilt"),
    level=whole("the last generation in which it was MAIN or its row was seen ready; 0: none"),
    lacks=maybe(text("what it lacks to take over if MAIN were lost now; null: nothing, or it is MAIN")),
)

_CLUSTER: Final = fields(
    "The full picture of the cluster, as the controller that answers sees it.",
    schema=_document("cluster"),
    at=number(f"when it was drawn, {_WALL}"),
    version=text("version of the controller"),
    cluster=text("name of the cluster"),
    identity=text("the controller that answers"),
    started_at=number(f"when it started, {_WALL}"),
    leading=flag("whether it leads now"),
    leader=maybe(text("who leads, as last read; null: nobody known")),
    lease_left_s=number("what is left of our lease, seconds; 0 if we do not lead"),
    last_tick_age_s=maybe(number("age of the last look of the loop, seconds; null before the first")),
    observe_only=flag("no command is sent: decisions say what would be done"),
    generation=maybe(whole("number of the reign; null: no usable record")),
    main=maybe(text("whose reign it is")),
    standby=maybe(text("who is proven to hold every acknowledged write; null: nobody")),
    opened=maybe(flag("whether the reign was opened for writes")),
    paused=maybe(
        fields(
            "An operator paused the cluster.",
            by=text("who"),
            reason=text("why; may be empty"),
            at=number(f"when, {_WALL}"),
        )
    ),
    switchover=maybe(
        fields(
            "A planned change of MAIN is under way.",
            target=text("to whom"),
            by=text("who asked"),
            reason=text("why; may be empty"),
        )
    ),
    unprotected=flag("MAIN may acknowledge writes with no standby"),
    loss=maybe(
        fields(
            "MAIN counts as lost.",
            kind=text("why", words=tuple(kind.name.lower() for kind in LossKind)),
            evidence=text("what was seen"),
        )
    ),
    rw=fields(
        "The read/write gateway of this controller.",
        open=flag("whether it relays"),
        why=text("to whom, or why not"),
        quiet=flag("a quiet moment: no new transaction passes"),
        holding=flag("shut, and new connections wait instead of being refused"),
        port=maybe(whole("where it listens")),
        connections=maybe(whole("connections relayed now")),
        waiting=maybe(whole("clients waiting now")),
    ),
    ro=maybe(
        fields(
            "The read-only gateway; null if there is none.",
            open=flag("whether it relays"),
            why=text("why to these, or why to nobody"),
            targets=many({"type": "string"}, "the instances that it relays to"),
            port=whole("where it listens"),
            connections=whole("connections relayed now"),
        )
    ),
    decision=maybe(
        fields(
            "The last decision; null before the first.",
            rule=text("id of the rule that decided"),
            name=text("its name"),
            reason=text("one sentence with the evidence"),
            hold=maybe(_since(maybe(number(f"when it began, {_WALL}; null: not known")))),
        )
    ),
    instances=many(named("Instance"), "every member, in ordinal order"),
    holds=many(named("Hold"), "everything that waits, the decision's first"),
)

_HISTORY: Final = fields(
    "The reigns that the record remembers (the last 64 changes), oldest first.",
    schema=_document("history"),
    at=number(f"when it was asked, {_WALL}"),
    changes=many(
        fields(
            "A reign began.",
            generation=whole("its number"),
            main=text("whose"),
            previous=maybe(text("whose was before; null at the very first")),
            kind=text("why it began", words=tuple(kind.value for kind in ChangeKind)),
            standby=maybe(text("the standby that the reign before had named")),
            rule=text("id of the rule that decided"),
            reason=text("one sentence"),
            at=number(f"{_WALL}, of the leader that wrote it"),
            by=text("who asked for it; empty if nobody did"),
        ),
        "oldest first",
    ),
)

_EXPLAIN: Final = fields(
    "What every rule said of the last view; the first that matched decided.",
    schema=_document("explain"),
    at=number(f"when it was asked, {_WALL}"),
    rules=many(
        fields(
            "One rule.",
            rule=text("its id"),
            name=text("its name"),
            matched=flag("whether its guards were all met"),
            reason=maybe(text("what it says, if it matched")),
            guard=maybe(text("the first guard that stopped it, if it did not")),
            evidence=maybe(text("what that guard saw")),
            hold=maybe(text("the hold that it names, if it matched and names one")),
        ),
        "in the order in which they are asked",
    ),
)

_RULES: Final = fields(
    "Every rule in the words of its docstring.",
    schema=_document("rules"),
    rules=many(
        fields(
            "One rule; a section that it does not have is empty.",
            rule=text("its id"),
            name=text("its name"),
            summary=text("one sentence"),
            when=text("what must be so"),
            then=text("what is done"),
            protects=text("which promises"),
            after=text("which rules must come before it, and why"),
            before=text("which rules must come after it, and why"),
            source=text("where its facts come from"),
        ),
        "in the order in which they are asked",
    ),
)

_POLICY: Final = fields(
    "The operator's choices in force.",
    schema=_document("policy"),
    fields=many(
        fields(
            "One field.",
            name=text("its name; `_s` means seconds"),
            value=anything("what is in force"),
            default=anything("what it is if nothing is said"),
            allowed=text("what may be given"),
            doc=text("what it does"),
        ),
        "in the order of the reference",
    ),
)

_DOCTOR: Final = fields(
    "What to look at before trusting the cluster with data.",
    schema=_document("doctor"),
    at=number(f"when it was asked, {_WALL}"),
    checks=many(
        fields(
            "One check.",
            check=text("its name"),
            instance=maybe(text("of whom; null: of the cluster")),
            ok=maybe(flag("whether it is as it should be; null: it could not be seen")),
            level=text("how bad it is if not", words=tuple(level.value for level in Level)),
            says=text("what was seen"),
            fix=text("what to do; empty if it is ok"),
        ),
        "those of the cluster first",
    ),
)

_REPORT: Final = fields(
    "A bundle for a bug report: no token, password or account is in it.",
    schema=_document("report"),
    at=number(f"when it was made, {_WALL}"),
    versions=by_name({"type": "string"}, "of the controller, Python and the platform"),
    cluster=named("Cluster"),
    history=named("History"),
    explain=named("Explain"),
    policy=named("Policy"),
    doctor=named("Doctor"),
    counters=by_name({"type": "object"}, "what each gateway counted"),
    accounting={"type": "object", "description": "what the controller counted since it started"},
    log=many({"type": "string"}, "the last lines of its log, oldest first"),
)

_CHANGED: Final = fields(
    "A field that the new policy changes.",
    name=text("its name"),
    old=anything("what was in force"),
    new=anything("what is, or would be"),
    needs_restart=flag("whether it takes effect only when the controller starts again"),
)

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": fields(
        "Why it was not done.",
        error=text("one sentence: what, and what helps"),
        leader=maybe(text("with 503: who leads, as last read")),
        absent=("leader",),
    ),
    "Signed": fields(
        "A signed message between controllers of one release.",
        message=text("the text of a JSON object"),
        mac=text("its HMAC-SHA256, in hexadecimal digits"),
    ),
    "Answer": fields(
        "The end of a verb.",
        ok=flag("whether what was asked for is now so; of a dry run: whether it would be taken up now"),
        text=text("one sentence: what was done, or why not and what would help"),
        error=text("with 409: the same sentence as `text`"),
        absent=("error",),
    ),
    "PolicyAnswer": fields(
        "What a new policy changes.",
        ok=flag("whether it is in force; of a dry run: whether it would be"),
        text=text("one sentence"),
        changed=many(_CHANGED, "every field that differs"),
    ),
    "Row": _ROW,
    "Hold": _since(number(f"when it began, {_WALL}")),
    "Instance": _INSTANCE,
    "Cluster": _CLUSTER,
    "History": _HISTORY,
    "Explain": _EXPLAIN,
    "Rules": _RULES,
    "Policy": _POLICY,
    "Doctor": _DOCTOR,
    "Report": _REPORT,
}
"""Every schema that has a name of its own."""
