"""The mutants that are no mistakes: each with the reason why nothing could tell it from the right text."""

import tomllib
from collections.abc import Iterable
from importlib import resources

from memgraph_ha.sim.mutate.mutant import Mutant

TABLE = "equivalent.toml"


class StaleTableError(Exception):
    """The table names a mutant that does not exist any more; the text says which, and what to do."""


def equivalents() -> dict[str, str]:
    """Read the table that comes with the package.

    Returns:
        Anchor of a mutant (see `Mutant.anchor`) to the reason.

    Raises:
        StaleTableError: It gives one mutant two reasons, or one none.
    """
    text = resources.files("memgraph_ha.sim.mutate").joinpath(TABLE).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for entry in tomllib.loads(text)["equivalent"]:
        for anchor in entry["mutants"]:
            if anchor in found or not entry["why"]:
                raise StaleTableError(f"{TABLE}: {anchor!r} must have exactly one reason")
            found[anchor] = entry["why"]
    return found


def reasons(mutants: Iterable[Mutant], table: dict[str, str]) -> dict[str, str]:
    """Find the mutants that the table speaks of.

    Args:
        mutants: Every mutant there is.
        table: Anchors and reasons.

    Returns:
        Id of a mutant to the reason why it is equivalent.

    Raises:
        StaleTableError: An entry speaks of none.
    """
    found = {mutant.id: table[mutant.anchor] for mutant in mutants if mutant.anchor in table}
    stale = sorted(set(table) - {mutant.anchor for mutant in mutants})
    if stale:
        raise StaleTableError(
            f"{TABLE}: no mutant is {stale[0]!r}: the text that it speaks of has changed; judge it anew, or take it out"
        )
    return found
