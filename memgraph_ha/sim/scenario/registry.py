"""What a verb is: its arguments, one sentence, and the function that does it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from memgraph_ha.core import Ask
from memgraph_ha.sim.scenario.expressions import parse_expression
from memgraph_ha.sim.scenario.model import Value
from memgraph_ha.sim.scenario.questions import QUESTIONS
from memgraph_ha.sim.scenario.words import parse_duration

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

Waits = Generator[Callable[[], bool], None, None]
"""What a verb does that takes time: each value it yields must become true before it goes on."""

PARTS: Final = ("main", "standby", "async")
"""Instances by the part they play at that instant."""

LEADERS: Final = ("leader", "other")
"""Controllers by whether they hold the lease at that instant."""


class ArgKind(enum.Enum):
    """What an argument may be; the value says it for people."""

    INSTANCE = "an instance (m0 ...), or main, standby, async"
    CONTROLLER = "a controller (C1 ...), or leader, other"
    END = "an instance, a controller, api or clients"
    TIME = "a time, e.g. '1.5s'"
    COUNT = "a whole number from 0 on"
    NUMBER = "a number"
    CHANCE = "a number from 0 to 1"
    YES_NO = "true or false"
    WORD = "a word"
    EXPRESSION = "an expression"


@frozen(kw_only=True)
class Arg:
    """One argument.

    Attributes:
        kind: What it may be.
        choices: If it is a word: one of these; empty: any.
        default: None if it must be given.
        optional: Whether it may be left out although it has no default.
    """

    kind: ArgKind
    choices: tuple[str, ...] = ()
    default: Value | None = None
    optional: bool = False

    @property
    def allowed(self) -> str:
        """What may be given, for people."""
        return " or ".join(repr(choice) for choice in self.choices) if self.choices else self.kind.value

    def read(self, given: object, instances: int, controllers: int) -> Value:
        """Check one value as a file gives it; times become seconds.

        Raises:
            ValueError: It is not allowed; the text says what is.
        """
        wrong = ValueError(f"is not allowed; give {self.allowed}")
        match self.kind:
            case ArgKind.TIME if isinstance(given, str):
                return parse_duration(given)
            case ArgKind.COUNT if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
                return given
            case ArgKind.NUMBER if isinstance(given, int | float) and not isinstance(given, bool):
                return float(given)
            case ArgKind.CHANCE if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1:
                return float(given)
            case ArgKind.YES_NO if isinstance(given, bool):
                return given
            case ArgKind.WORD if isinstance(given, str) and (not self.choices or given in self.choices):
                return given
            case ArgKind.EXPRESSION if isinstance(given, str):
                parse_expression(given, QUESTIONS)
                return given
            case ArgKind.INSTANCE | ArgKind.CONTROLLER | ArgKind.END if isinstance(given, str):
                if given not in _places(self.kind, instances, controllers):
                    raise wrong
                return given
            case _:
                raise wrong


def _places(kind: ArgKind, instances: int, controllers: int) -> list[str]:
    """Who may be named; instances that a scale adds later are at most two more."""
    minds = [*(f"C{number}" for number in range(1, controllers + 1)), *LEADERS]
    places = [*(f"m{number}" for number in range(instances + 2)), *PARTS]
    if kind is ArgKind.CONTROLLER:
        return minds
    return places if kind is ArgKind.INSTANCE else [*places, *minds, "api", "clients"]


@frozen(kw_only=True)
class Verb:
    """Something that a scenario can do.

    Attributes:
        name: As it is written.
        text: What it does, one sentence.
        args: Its arguments, in order.
        act: Does it; a generator if it takes time. Does nothing if its target is not there or already so.
        undo: The verb that ends it, called with the same arguments as far as it takes them; empty if none does.
        group: Where the reference lists it.
    """

    name: str
    text: str
    args: Mapping[str, Arg]
    act: Callable[..., Waits | None]
    undo: str = ""
    group: str = ""

    def pinned(self, stage: Stage, given: Mapping[str, Value]) -> dict[str, Value]:
        """The arguments, with names of parts (``main``, ``leader``) replaced by who plays them now."""
        return {name: _pin(stage, self.args[name], value) for name, value in given.items()}

    def do(self, stage: Stage, given: Mapping[str, Value]) -> Waits | None:
        """Do it; nothing if it names an instance that the cluster has not, or not any more."""
        pinned = self.pinned(stage, given)
        if any(stage.is_gone(str(pinned[name])) for name in pinned if self.args[name].kind in _PLACES):
            return None
        taken: dict[str, Any] = {name: pinned.get(name, arg.default) for name, arg in self.args.items()}
        for name, arg in self.args.items():
            if arg.kind is ArgKind.CONTROLLER and taken[name] is not None:
                taken[name] = stage.controller(taken[name])
        return self.act(stage, **taken)


_PLACES: Final = (ArgKind.INSTANCE, ArgKind.END)


def _pin(stage: Stage, arg: Arg, value: Value) -> Value:
    if value in PARTS and arg.kind in (ArgKind.INSTANCE, ArgKind.END):
        return stage.instance(str(value))
    if value in LEADERS and arg.kind in (ArgKind.CONTROLLER, ArgKind.END):
        return stage.controller(str(value)).name
    return value


VERBS: Final[dict[str, Verb]] = {}
"""Every verb by its name, in the order of the reference; filled by `memgraph_ha.sim.scenario.verbs`."""


def verb(
    name: str, group: str, args: Mapping[str, Arg], undo: str = ""
) -> Callable[[Callable[..., Waits | None]], Callable[..., Waits | None]]:
    """Enter the function that follows as a verb; the first line of its docstring is its sentence."""

    def enter(act: Callable[..., Waits | None]) -> Callable[..., Waits | None]:
        text = (act.__doc__ or "").strip().splitlines()[0]
        VERBS[name] = Verb(name=name, text=text, args=args, act=act, undo=undo, group=group)
        return act

    return enter


INSTANCE: Final = Arg(kind=ArgKind.INSTANCE)
CONTROLLER: Final = Arg(kind=ArgKind.CONTROLLER)
ANY_CONTROLLER: Final = Arg(kind=ArgKind.CONTROLLER, optional=True)
END: Final = Arg(kind=ArgKind.END)
TIME: Final = Arg(kind=ArgKind.TIME)
NAME: Final = Arg(kind=ArgKind.WORD)
ASKS: Final = tuple(ask.value for ask in Ask)
