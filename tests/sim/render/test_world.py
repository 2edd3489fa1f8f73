"""A trace of the simulated world itself: what the picture says is what the world did."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from memgraph_ha.sim.render.model import Told, Weave
from memgraph_ha.trace.writing import write_trace
from tests.sim.render.drawn import SVG, drawing, lanes, placed
from tests.sim.render.plays import PICTURES, Played, draw_pictures, play

LARGEST = 200_000
"""Bytes: a picture of the documentation is no larger."""


@pytest.fixture(scope="module")
def played() -> Played:
    """MAIN is killed and stays down."""
    return play(down_s=12.0)


def test_every_rule_that_fired_is_drawn(played: Played) -> None:
    """In the lane of the controller that it fired in, and no other."""
    for controller in played.controllers:
        lane = played.lane(f"controller {controller.name}")
        assert {span.brief for span in lane.spans if span.brief} == controller.fired - {"P10"}


def test_every_reign_of_the_record_is_drawn(played: Played) -> None:
    """Generation by generation, with its MAIN."""
    lane = played.lane("record")
    drawn = list(dict.fromkeys(span.brief for span in lane.spans if span.row == 0))
    written = list(dict.fromkeys(f"{record.generation}: {record.main}" for record in played.cluster.store.history))
    assert drawn == written
    assert len(written) == 2


def test_every_write_is_drawn_as_its_client_was_told(played: Played) -> None:
    """As many as the ledger has."""
    ledger, writes = played.cluster.ledger, played.lane("clients").writes
    count = {told: sum(write.count for write in writes if write.told is told) for told in Told}
    assert count[Told.ACKNOWLEDGED] == len(ledger.acks) > 100
    assert count[Told.IN_DOUBT] == len(ledger.indeterminate)
    assert count[Told.REFUSED] == len(ledger.refused)


def test_at_the_end_each_instance_is_drawn_as_it_is(played: Played) -> None:
    """The one that was killed is down, the new MAIN is MAIN in the run that it has."""
    for name in played.cluster.names:
        last = max(
            (span for span in played.lane(f"instance {name}").spans if span.row == 0), key=lambda span: span.end_s
        )
        if not played.cluster.up(name):
            assert last.label == "down"
        else:
            instance = played.cluster.world[name]
            role = "MAIN" if instance.is_main else "REPLICA"
            assert last.label == f"{role}, run {instance.run_id[:8]}"
            assert (last.weave is Weave.STRONG) is instance.is_main


def test_the_verdict_is_what_clients_felt(played: Played) -> None:
    """The pause is the longest time between two acknowledgements."""
    times = [ack.at_s for ack in played.cluster.acks]
    longest_s = max(later - earlier for earlier, later in pairwise(times))
    assert played.timeline.verdict == f"Failover from m0 to m1: no write was acknowledged for {longest_s:.2f} s"


def test_the_picture_is_well_formed_and_in_time(played: Played) -> None:
    """Everything begins within the trace."""
    parts = placed(drawing(played.timeline))
    assert len(parts) > 150
    assert all(played.timeline.start_s <= part.start_s <= played.timeline.end_s for part in parts)


def test_rendering_is_the_same_whatever_python_hashes(played: Played, tmp_path: Path) -> None:
    """The same trace gives the same bytes in another process."""
    trace = tmp_path / "trace.jsonl"
    write_trace(trace, played.lines, t=played.cluster.now, verdict="ended")
    script = "import sys; from memgraph_ha.sim.commands.render import render; render()"
    written = []
    for seed in ("1", "2"):
        page = tmp_path / f"{seed}.html"
        command = [sys.executable, "-c", script, str(trace), "--output", str(page)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.DEVNULL)
        written.append(page.read_bytes())
    assert written[0] == written[1]


def test_the_pictures_of_the_documentation_are_drawn_by_what_ships(tmp_path: Path) -> None:
    """They are small, well formed, and have today's style: whoever changes it draws them anew (`plays`)."""
    draw_pictures(tmp_path)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in PICTURES.glob("sim-*.svg"))
    for name in drawn:
        there, now = (ET.fromstring((where / name).read_text(encoding="utf-8")) for where in (PICTURES, tmp_path))  # noqa: S314 - ours
        assert (PICTURES / name).stat().st_size < LARGEST
        assert lanes(there) == lanes(now)
        assert there.findtext(f"{SVG}style") == now.findtext(f"{SVG}style")
