"""Draw docs/pictures/cli-*.svg: each operator command as a real terminal shows it.

python -m scripts.generate_pictures [NAME ...]

Every command runs as its own process on a pseudo-terminal, against the HTTP server of tests/operate with its recorded
answers; what it wrote is drawn by rich. Look at the pictures afterwards: a test cannot say whether they are readable.
"""

import io
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from memgraph_ha.api.documents import policy_document, rules_document
from memgraph_ha.core.policy import DataDurability, Policy
from tests.operate import recorded
from tests.operate.recorded import HEALTHY, HELD, Json
from tests.operate.server import Answer, Api, Asked, says, serving, verb
from tests.operate.terminal import Terminal, terminal

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
MOST_BYTES: Final = 60_000
_COLUMNS: Final = 112

_FONTS: Final = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_FORMAT: Final = re.sub(
    r"font-family: Fira Code, monospace",
    f"font-family: {_FONTS}",
    re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL),
)
"""Rich's own form, without the fonts that it would fetch from elsewhere."""

_PROGRESS: Final = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h(?:\r?\x1b\[1A)?(?:\r?\x1b\[2K)?", re.DOTALL)
"""What is drawn while waiting, and taken away at the end."""

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
    columns: int = _COLUMNS


def _document(name: str, document: Json) -> Change:
    return lambda api: api.scripts.update({("GET", name): says(document)})


def _cluster(document: Json) -> Change:
    return _document("cluster", document)


def _stakes(name: str, stake: str, done: str) -> Change:
    return lambda api: api.scripts.update(
        {("POST", name): verb(done, f"{name} would be taken up now; at stake: {stake}")}
    )


def _switching(api: Api) -> None:
    def switch(_asked: Asked) -> Answer:
        after = HEALTHY | {"generation": 6, "main": "memgraph-1", "standby": "memgraph-0"}
        api.scripts["GET", "cluster"] = says(after)
        return 200, {"ok": True, "text": "memgraph-1 is MAIN; writes waited 212 ms, and no connection was refused"}

    api.scripts["POST", "switchover"] = lambda asked: (
        (200, {"ok": True, "text": "switchover to memgraph-1 would be taken up now"})
        if asked.body.get("dry_run")
        else switch(asked)
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


def _policy(api: Api) -> None:
    changed = [
        {"name": "data_durability", "old": "preferred", "new": "required", "needs_restart": False},
        {"name": "lease_duration_s", "old": 10.0, "new": 20, "needs_restart": True},
    ]
    api.scripts["PUT", "policy"] = lambda asked: (
        200,
        {
            "ok": True,
            "text": "2 fields would change" if asked.body.get("dry_run") else "2 fields changed",
            "changed": changed,
        },
    )


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
    "decision": {"rule": "R60", "name": "catch_up", "reason": "memgraph-1 is 711 behind", "hold": None},
    "holds": [
        {
            "name": "Unprotected",
            "rule": "R60",
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


def _file(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def pictures(place: Path) -> tuple[Picture, ...]:
    """List the pictures.

    Args:
        place: A directory for the files that they need.
    """
    policy = _file(place / "policy.toml", 'data_durability = "required"\nlease_duration_s = 20\n')
    wrong = _file(place / "wrong.toml", "drain_s = 5000\n")
    return (
        Picture(name="status", lines=(("status",),)),
        Picture(name="status-watch", lines=(("status", "--watch"),)),
        Picture(name="status-held", lines=(("status",),), prepare=_cluster(HELD)),
        Picture(name="status-unprotected", lines=(("status",),), prepare=_cluster(_UNPROTECTED)),
        Picture(name="status-narrow", lines=(("status",),), prepare=_cluster(HELD), columns=46),
        Picture(
            name="switchover",
            lines=(
                ("switchover", "--to", "memgraf-1"),
                ("switchover", "--to", "memgraph-1", "--dry-run"),
                ("switchover", "--to", "memgraph-1", "--reason", "kernel update"),
            ),
            prepare=_switching,
        ),
        Picture(
            name="failover",
            lines=(("failover", "memgraph-1"), ("failover", "--accept-data-loss", "memgraph-1")),
            prepare=_forcing,
            answers={("failover", "--accept-data-loss", "memgraph-1"): ("to go on: ", "memgraph-1\n")},
        ),
        Picture(
            name="restart",
            lines=(("restart", "memgraph-0"), ("restart", "memgraph-2")),
            prepare=_stakes("restart", "open sessions on memgraph-0", "memgraph-2 answers again, in a new run"),
            answers={("restart", "memgraph-0"): ("[y/N]: ", "n\n")},
        ),
        Picture(name="pause", lines=(("pause", "--reason", "storage migration"), ("resume",))),
        Picture(name="history", lines=(("history",),)),
        Picture(name="explain", lines=(("explain",),)),
        Picture(
            name="reinit",
            lines=(("reinit", "memgraph-2"),),
            prepare=_stakes(
                "reinit", "commits that only memgraph-2 holds; its old files are moved aside", "it is filled anew"
            ),
            answers={("reinit", "memgraph-2"): ("[y/N]: ", "y\n")},
        ),
        Picture(
            name="adopt",
            lines=(("adopt", "memgraph-0"),),
            prepare=_stakes("adopt", "data that only the others hold", "reign 1 of memgraph-0 has begun"),
            answers={("adopt", "memgraph-0"): ("to go on: ", "memgraph-0\n")},
        ),
        Picture(name="doctor", lines=(("doctor",),)),
        Picture(name="report", lines=(("report", "-o", str(place / "report.tar.gz")),)),
        Picture(name="rules", lines=(("rules", "L3"), ("rules", "L30")), prepare=_document("rules", rules_document())),
        Picture(
            name="policy-show",
            lines=(("policy", "show"),),
            prepare=_document("policy", _some_policy()),
        ),
        Picture(
            name="policy-apply",
            lines=(("policy", "check", str(wrong)), ("policy", "apply", str(policy))),
            prepare=_policy,
            answers={("policy", "apply", str(policy)): ("[y/N]: ", "y\n")},
        ),
        Picture(name="help", lines=(("status", "--help"),)),
    )


def typed(api: Api, line: Line, picture: Picture) -> str:
    """Run a command on a terminal, answer its questions, and give what was shown."""
    with terminal(api, *line, columns=picture.columns, TZ="UTC", LOGNAME="ada") as screen:
        if "--watch" in line:
            return _watched(api, screen)
        if line in picture.answers:
            question, reply = picture.answers[line]
            screen.until(question)
            screen.type(reply)
        screen.end()
        shown = screen.shown.decode()
    return _PROGRESS.sub("", shown).replace("\r\n", "\n").replace(api.url, "http://127.0.0.1:8080")


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
    return "\n".join(lines[: 1 + max(number for number, line in enumerate(lines) if "memgraph-" in line)]).replace(
        api.url, "http://127.0.0.1:8080"
    )


def draw(picture: Picture, place: Path) -> str:
    """Draw one picture as SVG."""
    console = Console(record=True, width=picture.columns, force_terminal=True, file=io.StringIO())
    with serving(Api.healthy()) as api:
        picture.prepare(api)
        for line in picture.lines:
            words = " ".join(f'"{word}"' if " " in word else word for word in line)
            console.print(Text.assemble(("$ ", "green"), f"memgraph-ha {words}".replace(f"{place}/", "")))
            console.print(Text.from_ansi(typed(api, line, picture).replace(f"{place}/", "")))
    return console.export_svg(title=f"memgraph-ha {picture.lines[0][0]}", code_format=_FORMAT)


def main(wanted: list[str]) -> int:
    """Draw all pictures, or those that are named."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for picture in pictures(Path(folder)):
            if wanted and picture.name not in wanted:
                continue
            drawn = draw(picture, Path(folder))
            if len(drawn.encode()) > MOST_BYTES:
                print(f"{picture.name}: {len(drawn):,} bytes are more than {MOST_BYTES:,}; make it smaller")
                return 1
            (PICTURES / f"cli-{picture.name}.svg").write_text(drawn, encoding="utf-8")
            print(f"docs/pictures/cli-{picture.name}.svg {len(drawn):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
