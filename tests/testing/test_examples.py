"""The page of the contract and the examples do what they say; the loop for kopf keeps what the page asks."""

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from types import ModuleType

import pytest

from memgraph_ha.core import Command, Fact, Policy, Record, Route
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, LeaseSeen, MembersSeen, Outcome, RecordSeen, RoleSeen
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId, Token
from memgraph_ha.core.topology import Member, Role
from tests.docs.pages import DOCS, ROOT, read

WRONG = "SINGLE_WRITER: promotion of m1 that the record read back does not order"

M0, M1 = InstanceName("m0"), InstanceName("m1")

MEMBERS = tuple(
    Member(
        name=name,
        bolt=Address(f"{name}:7687"),
        replication=Address(f"{name}:10000"),
        incarnation=Incarnation(f"{name} 1"),
    )
    for name in (M0, M1)
)


def test_every_block_of_the_contract_runs() -> None:
    """In the order of the page, each with what those before it left."""
    page = read(DOCS / "explanation" / "contract.md")
    blocks = [fence.text for fence in page.fences if fence.language == "python"]
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)  # noqa: S102 - our own page is what is tested


def test_a_rule_more_keeps_every_promise_and_good_intentions_do_not() -> None:
    """`examples/own_decision.py`, as a reader would run it."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "own_decision.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines() == [
        "one rule more: every promise was kept",
        f"whoever answers: rule OWN (quick!) breaks {WRONG}",
    ]


@pytest.fixture(scope="module")
def operator() -> ModuleType:
    """The skeleton for kopf, imported as kopf would."""
    pytest.importorskip("kopf")
    path = ROOT / "examples" / "with_kopf.py"
    spec = importlib.util.spec_from_file_location("with_kopf", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECORD = Record(
    cluster="c",
    generation=1,
    main=M1,
    main_run=RunId("run of m1"),
    opened=True,
    standby=None,
    fallback=None,
    unprotected=True,
    row_seq=1,
    rebuild=frozenset(),
    database_uuid="d",
    level=((M0, 1), (M1, 1)),
    history=(),
)


class ScriptedHands:
    """Hands that show a stray MAIN: its level is to be forgotten first, then it is to be demoted."""

    def __init__(self, outcome: Outcome) -> None:
        self.done: list[str] = []
        self.commands: list[Command] = []
        self._outcome = outcome

    async def look(self) -> Iterable[Fact]:
        """Say who there is: m0 and m1 are both MAIN, and the record says m1."""
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        lease = LeaseSeen(at_s=now_s, leading=True, until_s=now_s + 10, since_s=now_s - 60)
        record = RecordSeen(at_s=now_s, record=RECORD, token=Token("1"))
        roles = [
            RoleSeen(at_s=now_s, asked_at_s=now_s, instance=name, run=RunId(f"run of {name}"), role=Role.MAIN)
            for name in (M0, M1)
        ]
        return [MembersSeen(at_s=now_s, cluster="c", members=MEMBERS), lease, record, *roles]

    async def relay(self, route: Route) -> None:
        """Note it."""
        self.done.append("relay" if route.permit is not None else "cut")

    async def do(self, command: Command) -> tuple[CommandEnded, Iterable[Fact]]:
        """Note it, and end as the test wants."""
        self.done.append(type(command).__name__)
        self.commands.append(command)
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        return CommandEnded(at_s=now_s, command=command, outcome=self._outcome), []


def played(operator: ModuleType, hands: ScriptedHands, rounds: int = 1) -> list[str]:
    """Go round so often, and close; what was done, in order."""

    async def play() -> None:
        keeper = operator.Keeper(hands, Policy())
        for _ in range(rounds):
            await keeper.round()
        await keeper.close()

    asyncio.run(play())
    return hands.done


@pytest.mark.parametrize(
    ("outcome", "story"),
    [
        (Outcome.DONE, ["cut", "WriteRecord", "Demote", "cut"]),
        (Outcome.REFUSED, ["cut", "WriteRecord", "cut"]),
        (Outcome.UNKNOWN, ["cut", "WriteRecord", "cut"]),
    ],
)
def test_the_loop_narrows_first_and_stops_at_the_first_failure(
    operator: ModuleType, outcome: Outcome, story: list[str]
) -> None:
    """The route comes before the commands; what is refused or unknown ends the round; at the end nothing is relayed."""
    assert played(operator, ScriptedHands(outcome)) == story


def test_the_loop_feeds_back_how_commands_ended(operator: ModuleType) -> None:
    """A write whose answer was lost is not repeated in the same breath: the end of the first try is a fact."""
    hands = ScriptedHands(Outcome.UNKNOWN)
    assert played(operator, hands, rounds=2).count("WriteRecord") == 1
    assert isinstance(hands.commands[0], WriteRecord)


def test_stopping_the_loop_cuts_the_clients(operator: ModuleType) -> None:
    """However it ends, the last thing it does is to relay nothing."""
    hands = ScriptedHands(Outcome.UNKNOWN)

    async def stop_soon() -> None:
        stopped = asyncio.Event()
        task = asyncio.create_task(operator.keep(operator.Keeper(hands, Policy()), stopped))
        await asyncio.sleep(0.3)
        stopped.set()
        await asyncio.wait_for(task, 5)

    asyncio.run(stop_soon())
    assert hands.done[-1] == "cut"
    assert hands.done.count("cut") > 2


def test_a_loop_that_breaks_cuts_the_clients(operator: ModuleType) -> None:
    """An exception of the hands leaves the loop, and nothing is relayed behind it."""

    class Broken(ScriptedHands):
        async def do(self, command: Command) -> tuple[CommandEnded, Iterable[Fact]]:
            raise OSError(f"no way to do {type(command).__name__}")

    hands = Broken(Outcome.DONE)
    with contextlib.suppress(OSError):
        asyncio.run(operator.keep(operator.Keeper(hands, Policy()), asyncio.Event()))
    assert hands.done == ["cut", "cut"]


def test_the_skeleton_hangs_into_kopf(operator: ModuleType) -> None:
    """Both handlers are registered, and the part that is the reader's says so by name."""
    kopf = importlib.import_module("kopf")
    registry = kopf.get_default_registry()
    names: set[Callable[..., object]] = {handler.fn for handler in registry._spawning.get_all_handlers()}
    assert operator.keep_statefulset in names
    with pytest.raises(NotImplementedError, match="default/memgraph"):
        operator.hands_of("memgraph", "default")
