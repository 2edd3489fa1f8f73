"""The live picture of `memgraph-ha local`."""

import io

import pytest
from rich.console import Console

from memgraph_ha.core.decide import decide
from memgraph_ha.local.screen import picture
from tests.core.views import HEALTHY

WHERE = "read/write bolt://127.0.0.1:7687   data /home/somebody/.local/state/memgraph-ha/orders   ctrl-c stops all"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_where_to_connect_is_told_whole(width: int) -> None:
    """However narrow the terminal is, ports and data directory can be read."""
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(picture(WHERE, HEALTHY.view, decide(HEALTHY.view)))
    drawn = console.export_text().splitlines()
    assert max(map(len, drawn)) <= width
    for word in WHERE.split():
        assert any(word in line for line in drawn), word
    assert any("m0" in line and "MAIN" in line for line in drawn)
