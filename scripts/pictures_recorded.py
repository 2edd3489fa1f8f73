"""Pictures of situations that are rare, or hard to come by: the commands against recorded answers of the API."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from memgraph_ha.api.documents import policy_document, rules_document
from memgraph_ha.core.policy import DataDurability, Policy
from scripts.picture_drawing import COLUMNS, Shot, settled
from tests.operate import recorded
from tests.operate.recorded import HEALTHY, HELD, Json
from tests.operate.server import Answer, Api, Asked, says, serving, verb
from tests.operate.terminal import Terminal, terminal

Change = Callable[[Api], None]
Line = tuple[str, ...]


@frozen(kw_only=True)
class Picture:
    """One picture.

    Attributes:
        name: The file is ``cli-<name>.svg``.
        lines: What is typed, after ``memgraph-ha``.
        prepare: Makes the situation.
        answers: What is typed at the questions of these lines: the line to the question's end and the reply.
        columns: Of the terminal.
    """

    name: str
    lines: tuple[Line, ...]
    prepare: Change = field(default=lambda _api: None)
    answers: Mapping[Line, tuple[str, str]] = field(factory=dict, hash=False)
    columns: int = COLUMNS


def _document(name: str, document: Json) -> Change:
    return lambda api: api.scripts.update({("GET", name): says(document)})


def _cluster(document: Json) -> Change:
    return _document("cluster", document)


def _stakes(name: str, stake: str, done: str) -> Change:
    return lambda api: api.scripts.update(
        {("POST", name): verb(done, f"{name} would be taken up now; at stake: {stake}")}
    )


def _forcing(api: Api) -> None:
    stake = (
        "failover would be taken up now; at stake: memgraph-1 was level with generation 5 when its row was last seen "
        "ready, 134 s ago; every write since then that only memgraph-0 holds"
    )
    after = HELD | {"generation": 6, "main": "memgraph-1", "rw": HEALTHY["rw"], "holds": [], "decision": None}
    forced = verb("memgraph-1 is MAIN by force", stake)

    def force(asked: Asked) -> Answer:
        if not asked.body.get("dry_run"):
            api.scripts["GET", "cluster"] = says(after)
        return forced(asked)

    api.scripts["GET", "cluster"] = says(HELD)
    api.scripts["POST", "failover"] = force


def _some_policy() -> Json:
    """Give the first fields: all of them are more than fits into a picture."""
    document: Json = policy_document(Policy(data_durability=DataDurability.REQUIRED))
    return document | {"fields": document["fields"][:12]}


_UNPROTECTED: Final = HEALTHY | {
    "standby": None,
    "unprotected": True,
    "instances": [
        recorded.MAIN_0,
        recorded.instance(
            "memgraph-1",
            state="not attached",
            healthy=False,
            row={"name": "memgraph-1_8", "mode": "ASYNC", "status": "recovery", "ts": 4000, "behind": -711},
            lacks="it is not the named standby: its row is ASYNC and catching up",
        ),
        recorded.ASYNC_2,
    ],
    "decision": {"rule": "Y20", "name": "hold_unprotected", "reason": "memgraph-1 is 711 behind", "hold": None},
    "holds": [
        {
            "name": "Unprotected",
            "rule": "Y20",
            "reason": "memgraph-1 is attached as ASYNC and 711 behind",
            "since": recorded.AT - 12.4,
            "blocked": "protection: there is no proven standby, MAIN has the only certain copy",
            "ends": "the standby comes back, is attached and proven",
            "command": "",
            "risk": "what is written meanwhile, if MAIN's disk is lost",
            "page": "unprotected.md",
        }
    ],
}


_FORCED: Final = ("failover", "--accept-data-loss", "memgraph-1")
_ADOPTED: Final = ("adopt", "memgraph-0")

PICTURES: Final = (
    Picture(name="status-watch", lines=(("status", "--watch"),)),
    Picture(name="status-held", lines=(("status",),), prepare=_cluster(HELD)),
    Picture(name="status-unprotected", lines=(("status",),), prepare=_cluster(_UNPROTECTED)),
    Picture(name="status-narrow", lines=(("status",),), prepare=_cluster(HELD), columns=46),
    Picture(
        name="failover",
        lines=(("failover", "memgraph-1"), _FORCED),
        prepare=_forcing,
        answers={_FORCED: ("to go on: ", "memgraph-1\n")},
    ),
    Picture(
        name="adopt",
        lines=(_ADOPTED,),
        prepare=_stakes("adopt", "data that only the others hold", "reign 1 of memgraph-0 has begun"),
        answers={_ADOPTED: ("to go on: ", "memgraph-0\n")},
    ),
    Picture(name="rules", lines=(("rules", "L3"), ("rules", "L30")), prepare=_document("rules", rules_document())),
    Picture(name="policy-show", lines=(("policy", "show"),), prepare=_document("policy", _some_policy())),
)


def shots(wanted: Sequence[str]) -> Iterator[Shot]:
    """Take these pictures, or those of them that are named."""
    for picture in PICTURES:
        if wanted and picture.name not in wanted:
            continue
        with serving(Api.healthy()) as api:
            picture.prepare(api)
            parts = tuple((line, _typed(api, line, picture)) for line in picture.lines)
        yield Shot(name=picture.name, parts=parts, columns=picture.columns)


def _typed(api: Api, line: Line, picture: Picture) -> str:
    """Run a command on a terminal, answer its questions, and give what was shown."""
    with terminal(api, *line, columns=picture.columns, TZ="UTC", LOGNAME="ada") as screen:
        if "--watch" in line:
            shown = _watched(api, screen)
        else:
            if line in picture.answers:
                question, reply = picture.answers[line]
                screen.until(question)
                screen.type(reply)
            screen.end()
            shown = settled(screen.shown.decode())
    return shown.replace(api.url, "http://127.0.0.1:8080")


def _watched(api: Api, screen: Terminal) -> str:
    """Give the last frame of a watch whose controller went away."""
    screen.until("healthy")
    api.stop()
    screen.until("No answer for 1.")
    screen.send(signal.SIGINT)
    screen.end()
    api.start()
    frames = screen.shown.partition(b"\x1b[?1049l")[0].decode().split("\x1b[H")
    lines = [line.rstrip() for line in frames[-1].replace("\r\n", "\n").split("\n")]
    return "\n".join(lines[: 1 + max(number for number, line in enumerate(lines) if "memgraph-" in line)])
