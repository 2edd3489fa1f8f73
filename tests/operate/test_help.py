"""The help of every command: examples that parse, exit codes, and a reference that is in step."""

import html
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from memgraph_ha.cli import COMMANDS, OPERATOR, main
from memgraph_ha.operate.exits import MEANINGS, Exit
from memgraph_ha.operate.helping import OperatorCommand
from tests.operate.terminal import ROOT, run

OPERATORS = tuple(late.load() for late in OPERATOR.values())


def leaves(commands: tuple[click.Command, ...] = OPERATORS, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """List every command that does something, with its words."""
    for command in commands:
        words = f"{above}{command.name}"
        if isinstance(command, click.Group):
            yield from leaves(tuple(command.commands.values()), f"{words} ")
        else:
            yield words, command


EVERY = dict(leaves())
PICTURES = ROOT / "docs" / "pictures"


@pytest.mark.parametrize("words", EVERY)
def test_help_has_examples_and_exit_codes(words: str) -> None:
    """Every command says what it does, gives two examples or more, and the table of exit codes."""
    done = run(None, *words.split(), "--help")
    command = EVERY[words]
    assert done.code == 0
    assert isinstance(command, OperatorCommand)
    assert len(command.examples) >= 2
    for example in command.examples:
        assert f"  {example}\n" in done.out
    for code in Exit:
        assert f"\n  {code.value}" in done.out
    assert command.short_help
    assert max(map(len, done.out.splitlines())) <= 120


@pytest.mark.parametrize("words", EVERY)
def test_examples_parse(words: str) -> None:
    """Every example is a command line that the program takes."""
    command = EVERY[words]
    assert isinstance(command, OperatorCommand)
    for example in command.examples:
        found = re.search(r"memgraph-ha ([^|>;&)]*)", example)
        assert found is not None, example
        name, *rest = shlex.split(found[1])
        target = main.get_command(click.Context(main), name)
        assert target is not None, example
        if isinstance(target, click.Group):
            target, rest = target.commands[rest[0]], rest[1:]
        target.make_context(name, rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_that_is_not_loaded_is_its_own(name: str) -> None:
    """The table that spares the program's start says of each command what the command says of itself."""
    command = COMMANDS[name].load()
    assert (command.name, command.short_help) == (name, COMMANDS[name].summary)


def test_the_help_of_the_program_loads_no_command() -> None:
    """`memgraph-ha --help` needs neither the driver nor the API: it answers at once."""
    code = "import sys; from memgraph_ha.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = set(done.stdout.split())
    assert "click" in loaded
    assert not loaded & {"neo4j", "trio", "starlette", "rich", "cattrs"}


@pytest.mark.parametrize("name", [*COMMANDS, *(name for name in EVERY if " " in name), "--help", "status --help"])
def test_every_command_is_shown(name: str) -> None:
    """A picture shows a terminal on which that very command was typed."""
    if name == "sim":
        pytest.skip("its verbs are shown by their own pages")
    typed = re.compile(rf"\$ </text><text[^>]*>memgraph-ha {re.escape(name)}\b")
    shown = [
        html.unescape(path.read_text(encoding="utf-8")).replace("\xa0", " ") for path in PICTURES.glob("cli-*.svg")
    ]
    assert any(typed.search(each) for each in shown)


def test_every_picture_of_the_reference_exists() -> None:
    """And every picture is in the reference or in another page."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
    named = set(re.findall(r"pictures/(cli-[a-z-]+\.svg)", pages))
    assert named == {path.name for path in PICTURES.glob("cli-*.svg")}


def test_every_exit_code_is_explained() -> None:
    """The table knows each, and the numbers are those that are promised."""
    assert list(MEANINGS) == list(Exit)
    assert [code.value for code in Exit] == [0, 1, 2, 3, 4, 5, 130]


def test_the_reference_is_in_step() -> None:
    """docs/reference/cli.md and the JSON schemas are what the generator makes of the code."""
    command = [sys.executable, "-m", "scripts.generate_cli_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
