"""A writer that uses mgclient, as a process of its own: mgclient keeps Python's lock while it waits.

Usage: python -m tests.proxy.mgclient_writer PORT NAME

Writes transactions of two queries, which mgclient begins and commits by the queries BEGIN and COMMIT. Prints
``try KEY`` before and ``ok KEY`` after each, and ends when its standard input does.
"""

import itertools
import sys
import threading

import mgclient


def _write(port: int, name: str, stop: threading.Event) -> None:
    connection = mgclient.connect(host="127.0.0.1", port=port)
    for number in itertools.count():
        if stop.is_set():
            break
        key = f"{name}-{number}"
        print("try", key, flush=True)  # noqa: T201 - the protocol with the test
        cursor = connection.cursor()
        cursor.execute("CREATE (:First {key: $key})", {"key": key})
        cursor.execute("CREATE (:Second {key: $key})", {"key": key})
        connection.commit()
        print("ok", key, flush=True)  # noqa: T201 - likewise
    connection.close()


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    _write(int(sys.argv[1]), sys.argv[2], ended)
