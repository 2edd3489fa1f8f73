"""What a controller does again and again while all is well: it would hide everything else."""

from attrs import define, field

from memgraph_ha.core.commands import Command
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.sim.render.story import Entry, Story
from memgraph_ha.trace.schema import CommandLine, FactLine, TickLine


def routine_of(story: Story) -> frozenset[int]:
    """Number the lines that only repeat what was done before: the proof of the standby, every second.

    A decision is routine if it waits for nothing and each of its commands, word for word, was done before; so are
    these commands, and their ends if they were done again. The first of its kind never is.
    """
    desks: dict[str, _Desk] = {}
    return frozenset(entry.number for entry in story.entries if desks.setdefault(entry.line.who, _Desk()).again(entry))


@define
class _Desk:
    """One controller: what it has done, and which commands are under way again."""

    done: set[Command] = field(factory=set)
    sent: dict[int, bool] = field(factory=dict)

    def again(self, entry: Entry) -> bool:
        match entry.line:
            case TickLine(decision=Decision(hold=None, commands=commands)):
                return bool(commands) and self.done.issuperset(commands)
            case CommandLine(seq=seq, command=command):
                self.sent[seq] = command in self.done
                return self.sent[seq]
            case FactLine(fact=CommandEnded(outcome=Outcome.DONE, command=command), of=of):
                self.done.add(command)
                return of is not None and self.sent.get(of, False)
            case _:
                return False
