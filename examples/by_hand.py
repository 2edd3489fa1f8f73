"""One failover, driven by hand: facts typed in, decisions printed, no I/O at all. Needs nothing but attrs.

Run it with `python examples/by_hand.py`. What a daemon would do between two steps (probe, write the record, promote)
is done here by typing the fact that it would report.
"""

from attrs import evolve

from memgraph_ha.core import Decision, Fact, Observed, Policy, Record, View, decide, explain, observe
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import (
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.record import Standby
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus, StorageMode

DATA = "8ccf6784"
NAMES = ("m0", "m1", "m2")
MEMBERS = tuple(
    Member(
        name=InstanceName(name),
        bolt=Address(f"127.0.0.1:{17687 + n}"),
        replication=Address(f"127.0.0.1:{20000 + n}"),
        incarnation=Incarnation(f"pid {100 + n}"),
    )
    for n, name in enumerate(NAMES)
)


class Desk:
    """What has been observed so far, and the clock on the wall: the whole state of a controller."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.observed = Observed()
        self.tokens = 0

    def type_in(self, *facts: Fact) -> None:
        """File facts, as an adapter would report them."""
        for fact in facts:
            self.observed = observe(self.observed, fact)

    @property
    def view(self) -> View:
        """What a decision is made from."""
        return View(observed=self.observed, policy=Policy(), now_s=self.now_s, wall_s=1_700_000_000.0 + self.now_s)

    def step(self, what: str, *facts: Fact, after_s: float = 0.05) -> Decision:
        """Let time pass, file what was seen, decide and print."""
        self.now_s += after_s
        self.type_in(*facts)
        decision = decide(self.view)
        print(f"\n{self.now_s:7.2f} s  {what}")
        print(f"           {decision.rule} {decision.name}: {decision.reason}")
        for command in decision.commands:
            print(f"           -> {type(command).__name__} {getattr(command, 'instance', 'the record')}")
        held = f"hold {decision.hold.word}; " if decision.hold else ""
        open_to = decision.route.permit.instance if decision.route.permit else "nobody"
        print(f"           {held}read/write goes to {open_to} ({decision.route.why})")
        return decision

    def read_back(self, record: Record) -> RecordSeen:
        """Report the record as the store has it now."""
        self.tokens += 1
        return RecordSeen(at_s=self.now_s, record=record, token=Token(f"version {self.tokens}"))

    def answers(self, name: str, role: Role) -> tuple[Fact, ...]:
        """Report that an instance answered its probes just now."""
        instance, run, now_s = InstanceName(name), RunId(f"run of {name}"), self.now_s
        return (
            RoleSeen(at_s=now_s, asked_at_s=now_s, instance=instance, run=run, role=role),
            StorageSeen(
                at_s=now_s,
                asked_at_s=now_s,
                instance=instance,
                run=run,
                uuid=DATA,
                empty=False,
                mode=StorageMode.TRANSACTIONAL,
            ),
            ServerSeen(at_s=now_s, instance=instance, run=run, version="3.6.1", wal=True, flush_every=1),
            PortSeen(at_s=now_s, asked_at_s=now_s, instance=instance, open=True),
        )

    def rows(self, name: str, *rows: Row) -> RowsSeen:
        """Report what MAIN showed of its replicas."""
        run = RunId(f"run of {name}")
        return RowsSeen(at_s=self.now_s, asked_at_s=self.now_s, instance=InstanceName(name), run=run, rows=rows)

    def committed(self, name: str, generation: int, witness: Standby | None = None) -> NoopSeen:
        """Report that MAIN acknowledged the no-op commit."""
        return NoopSeen(
            at_s=self.now_s,
            asked_at_s=self.now_s,
            instance=InstanceName(name),
            run=RunId(f"run of {name}"),
            generation=generation,
            outcome=Outcome.DONE,
            witness=witness,
            row_ts=4 if witness else None,
        )

    def refused(self) -> ProbeMissed:
        """Report that m0 refused a connection."""
        return ProbeMissed(at_s=self.now_s, asked_at_s=self.now_s, instance=InstanceName("m0"), miss=Miss.REFUSED)


def row(name: str, to: int, mode: Mode) -> Row:
    """One healthy line of SHOW REPLICAS."""
    address = MEMBERS[to].replication
    return Row(name=RowName(name), address=address, mode=mode, status=RowStatus.READY, ts=4, behind=0)


def written(decision: Decision) -> Record:
    """Take the record that the decision asks to write."""
    command = decision.commands[0]
    if not isinstance(command, WriteRecord):
        raise TypeError(f"{decision.rule} writes no record")
    return command.record


def healthy(desk: Desk) -> Decision:
    """Report a cluster at rest: MAIN m0, its named standby m1, the ASYNC replica m2."""
    standby = Standby(instance=InstanceName("m1"), run=RunId("run of m1"), row=RowName("m1_1"))
    record = Record(
        cluster="example",
        generation=1,
        main=InstanceName("m0"),
        main_run=RunId("run of m0"),
        opened=True,
        standby=standby,
        fallback=None,
        unprotected=False,
        row_seq=1,
        rebuild=frozenset(),
        database_uuid=DATA,
        level=tuple((InstanceName(name), 1) for name in NAMES),
        history=(),
    )
    now_s = desk.now_s
    return desk.step(
        "everybody answers, the record names m1 as standby of m0",
        MembersSeen(at_s=now_s, cluster="example", members=MEMBERS),
        LeaseSeen(at_s=now_s, leading=True, until_s=now_s + 10, since_s=now_s - 60, floor_generation=1),
        desk.read_back(record),
        *desk.answers("m0", Role.MAIN),
        *desk.answers("m1", Role.REPLICA),
        *desk.answers("m2", Role.REPLICA),
        desk.rows("m0", row("m1_1", 1, Mode.STRICT_SYNC), row("m2", 2, Mode.ASYNC)),
        desk.committed("m0", 1, standby),
        after_s=0.0,
    )


def main() -> None:
    """Play the failover from the healthy cluster to the new MAIN's first permit."""
    desk = Desk()
    permit = healthy(desk).route.permit
    desk.step("our gateway relays to m0", GateSeen(at_s=desk.now_s, permit=permit))
    desk.step("m0 refuses a connection", desk.refused())
    desk.now_s += 0.01
    desk.step("... and another, 60 ms later: that is a verdict", desk.refused())

    print("\nwhy nobody is promoted yet (explain):")
    for line in explain(desk.view):
        if not isinstance(line.answer, Decision) and line.rule in ("L20", "L30", "L40", "O20"):
            print(f"           {line.rule} {line.name}: {line.answer}")

    desk.step("the gateway was cut: what m1 said before is too old", GateSeen(at_s=desk.now_s, permit=None))
    desk.now_s += 0.05
    decision = desk.step("m1 answers again, after the cut", *desk.answers("m1", Role.REPLICA))
    gone = (evolve(MEMBERS[0], incarnation=None), *MEMBERS[1:])
    decision = desk.step(
        "the record was written and read back; the platform says that m0's process is gone",
        desk.read_back(written(decision)),
        MembersSeen(at_s=desk.now_s, cluster="example", members=gone),
    )
    desk.step("m1 was promoted", *desk.answers("m1", Role.MAIN), desk.rows("m1"))
    desk.step("m1's first commit makes its epoch durable", desk.committed("m1", 2), *desk.answers("m2", Role.REPLICA))
    decision = desk.step("m2 is fenced to m1", desk.rows("m1", row("m2", 2, Mode.ASYNC)))
    desk.step("the record says that the reign is open", desk.read_back(written(decision)))


if __name__ == "__main__":
    main()
