"""A conversation of the stock client mgclient with a server, as a script: it blocks its whole process.

Usage: query_mgclient.py PORT; prints the rows of a read and the text of an error.
"""

from __future__ import annotations

import sys

import mgclient


def main(port: int) -> None:
    """Write, read, promote a MAIN."""
    connection = mgclient.connect(host="127.0.0.1", port=port)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("UNWIND range(1, 3) AS i CREATE (:Mg {i: $word})", {"word": "seen"})
    cursor.fetchall()
    cursor.execute("MATCH (n:Mg) RETURN n.i, count(n)")
    print(cursor.fetchall())  # noqa: T201 - the answer of the script
    try:
        cursor.execute("SET REPLICATION ROLE TO MAIN")
        cursor.fetchall()
    except mgclient.DatabaseError as error:
        print(error)  # noqa: T201 - likewise
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
