"""SHOW and TERMINATE TRANSACTIONS over real connections, as a controller and its clients see them (Q22)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import neo4j
import pytest
from neo4j.exceptions import ClientError, Neo4jError, TransientError

from tests.fakes.processes import PATIENCE_S, Fake, Processes

REFUSED = "Aborting transaction commit because the transaction was requested to stop from other session. "
ASKED_TO_STOP = "Transaction was asked to abort by another user."
CONFLICT = "Cannot resolve conflicting transactions"
SHOW = "SHOW TRANSACTIONS"


@contextmanager
def client(fake: Fake) -> Iterator[neo4j.Session]:
    """A client with a connection of its own."""
    with neo4j.GraphDatabase.driver(fake.address) as driver, driver.session() as session:
        yield session


def others(fake: Fake) -> list[list[object]]:
    """The transactions that are listed besides the question's own."""
    return [row for row in fake.query(SHOW) if row[2] != [SHOW]]


def terminate(fake: Fake, *numbers: object) -> list[list[object]]:
    """End transactions as a controller does."""
    return fake.query("TERMINATE TRANSACTIONS " + ", ".join(f'"{number}"' for number in numbers))


def test_an_idle_transaction_is_listed_and_ended(processes: Processes) -> None:
    """Listed from its BEGIN on; killed once; its COMMIT refused as Transient; its client can go on."""
    main = processes.start("a")
    with client(main) as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:Idle)").consume()
        [[user, number, queries, metadata]] = others(main)
        assert (user, queries, metadata) == ("", ["CREATE (:Idle)"], {})
        assert int(str(number)) >= 1 << 63
        assert terminate(main, number, "17") == [[number, True], ["17", False]]
        assert others(main) == []
        assert terminate(main, number) == [[number, False]]
        with pytest.raises(TransientError) as caught:
            transaction.commit()
        assert caught.value.message == REFUSED
        session.run("CREATE (:After)").consume()
    assert main.query("MATCH (n) RETURN labels(n)") == [[["After"]]]


def test_its_next_query_is_answered_13_times_of_20_and_rollback_works(processes: Processes) -> None:
    """Either way nothing of it is kept."""
    main = processes.start("a", "--fake-seed=3")
    answers: list[str] = []
    with client(main) as session:
        for _ in range(20):
            transaction = session.begin_transaction()
            transaction.run("CREATE (:Never)").consume()
            terminate(main, others(main)[0][1])
            try:
                transaction.run("RETURN 1").consume()
                answers.append("answered")
                transaction.rollback()
            except Neo4jError as error:
                answers.append(str(error.message))
                transaction.close()
    assert set(answers) == {"answered", ASKED_TO_STOP}
    assert 7 <= answers.count("answered") <= 18
    assert main.query("MATCH (n) RETURN count(n)") == [[0]]


def test_its_locks_stay_until_its_connection_ends(processes: Processes) -> None:
    """Terminating is not enough: the connection is to be cut too."""
    main = processes.start("a")
    main.query("CREATE (:N {i: 1})")
    with client(main) as session:
        session.begin_transaction().run("MATCH (n:N) SET n.i = 2").consume()
        assert terminate(main, others(main)[0][1])[0][1] is True
        with pytest.raises(Neo4jError, match=CONFLICT):
            main.query("MATCH (n:N) SET n.i = 3")
    main.until("MATCH (n:N) SET n.i = 3 RETURN n.i", [[3]])


def test_a_commit_that_hangs_is_neither_listed_nor_ended(processes: Processes) -> None:
    """Only ACTIVE transactions are (interpreter_context.cpp): an empty list does not mean that no commit runs."""
    main, replica = processes.cluster({"b": "STRICT_SYNC"})
    done = threading.Event()
    with client(main) as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:Hangs)").consume()
        number = others(main)[0][1]
        replica.send(signal.SIGSTOP)

        def commit() -> None:
            transaction.commit()
            done.set()

        committing = threading.Thread(target=commit)
        committing.start()
        deadline = time.monotonic() + PATIENCE_S
        while others(main):
            assert time.monotonic() < deadline
        assert terminate(main, number) == [[number, False]]
        assert not done.is_set()
        replica.send(signal.SIGCONT)
        committing.join(20)
        assert done.is_set()
    assert main.query("MATCH (n:Hangs) RETURN count(n)") == [[1]]


def test_parameters_are_no_ids(processes: Processes) -> None:
    """Ids are string literals."""
    main = processes.start("a")
    with client(main) as session, pytest.raises(ClientError, match="Error on line 1"):
        session.run("TERMINATE TRANSACTIONS $id", id="17").consume()
