"""The log of a controller: one event a line, in the form that was asked for, and never in the loop's way."""

import json
import logging
import os
import threading
import time

import pytest
import structlog

from memgraph_ha.kube.options import LogOptions
from memgraph_ha.kube.output import KEPT_LINES, Log, logging_as
from memgraph_ha.kube.settings import LogFormat
from memgraph_ha.runtime.lines import LineWriter

JSON = LogOptions(level=logging.INFO, form=LogFormat.JSON, source=True)


def test_an_event_is_a_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    """With its time, its level and where it was logged; what is below the level is left out."""
    with logging_as(JSON) as log:
        structlog.get_logger().info("route", open=True)
        structlog.get_logger().debug("left out")
        logging.getLogger("memgraph_ha.proxy").info("a certificate %s", "again")
        logging.getLogger("hypercorn").warning("a library warns")
        logging.getLogger("neo4j.io").error("each lost connection")
        assert len(log.tail(10)) == 3
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["route", "a certificate again", "a library warns"]
    assert lines[0]["open"] is True
    assert (lines[0]["level"], lines[0]["module"]) == ("info", "test_output")
    assert lines[0]["timestamp"].endswith("Z")
    assert lines[2]["logger"] == "hypercorn"


def test_text_is_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    """No colours, a traceback in plain lines, and no local variables, which may be secret."""

    def breaks() -> None:
        secret = "".join(reversed("terces"))
        raise RuntimeError(f"broke with {len(secret)} letters")

    with logging_as(LogOptions(level=logging.DEBUG, form=LogFormat.TEXT, source=False)):
        try:
            breaks()
        except RuntimeError:
            structlog.get_logger().exception("crashed")
    said = capfd.readouterr().err
    assert "crashed" in said
    assert "RuntimeError: broke with 6 letters" in said
    assert "= 'secret'" not in said
    assert "\x1b" not in said


def test_the_last_lines_stay_in_memory(capfd: pytest.CaptureFixture[str]) -> None:
    """So many and no more: they are part of a bug report."""
    with logging_as(JSON) as log:
        for number in range(KEPT_LINES + 5):
            structlog.get_logger().info("line", number=number)
        kept = [json.loads(line)["number"] for line in log.tail(10 * KEPT_LINES)]
        assert log.tail(0) == ()
    assert kept == list(range(5, KEPT_LINES + 5))
    assert len(capfd.readouterr().err.splitlines()) == KEPT_LINES + 5


def test_a_reader_that_stands_still_keeps_nobody_waiting() -> None:
    """A full pipe costs lines, not time; when it is read again, the first line says how many are missing."""
    read, write = os.pipe()
    log = Log(JSON, write)
    structlog.configure(processors=log.processors(), logger_factory=structlog.ReturnLoggerFactory())
    try:
        began_s = time.monotonic()
        for _ in range(14_000):
            structlog.get_logger().info("x" * 40)
        assert time.monotonic() - began_s < 30  # a blocked write would never return
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.extend(iter(lambda: os.read(read, 65536), b"")))
        reader.start()
        time.sleep(1.0)
        structlog.get_logger().info("again")
        log.close()
    finally:
        structlog.reset_defaults()
        os.close(write)
    reader.join(10)
    os.close(read)
    lines = [json.loads(line) for line in b"".join(got).splitlines()]
    assert lines[-1]["event"] == "again"
    assert lines[-1]["lines_left_out_before"] == 14_001 - len(lines)


def test_lines_to_nobody_are_lost_quietly() -> None:
    """Whoever read them is gone; the writer ends all the same."""
    read, write = os.pipe()
    os.close(read)
    writer: LineWriter[str] = LineWriter(write, str, most=10, name="lines")
    assert writer.put("one")
    writer.close(5)
    os.close(write)
    assert not [thread for thread in threading.enumerate() if thread.name == "lines"]
