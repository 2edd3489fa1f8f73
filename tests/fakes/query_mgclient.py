"""A conversation of the stock client mgclient with a server, as a script: it blocks its whole process.

Usage: query_mgclient.py PORT; prints what it saw as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import mgclient


def error_of(cursor: Any, query: str) -> str:
    """Return the text of the error that a query ends with."""
    try:
        cursor.execute(query)
        cursor.fetchall()
    except mgclient.DatabaseError as error:
        return str(error)
    return "no error"


def main(port: int) -> dict[str, Any]:
    """Return what a client of mgclient sees."""
    seen: dict[str, Any] = {}
    connection = mgclient.connect(host="127.0.0.1", port=port)
    cursor = connection.cursor()
    cursor.execute("CREATE (n:M {a: $a})-[r:R {x: 1}]->(m) RETURN n, r, m", {"a": [1, "é"]})
    ((node, edge, end),) = cursor.fetchall()
    seen["node"] = [node.id, sorted(node.labels), node.properties]
    seen["edge"] = [edge.type, edge.properties, edge.start_id == node.id, edge.end_id == end.id]
    seen["columns"] = [column.name for column in cursor.description]
    connection.rollback()
    cursor.execute("CREATE (:Kept)")
    connection.commit()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("MATCH (n) RETURN count(n)")
    seen["count"] = cursor.fetchall()
    values = [1, -(2**63), 2.5, "x", None, True, [1, [2]], {"k": {}}]
    cursor.execute("RETURN $v", {"v": values})
    seen["values come back"] = cursor.fetchall() == [(values,)]
    seen["syntax"] = error_of(cursor, "FOO")
    seen["after the error"] = error_of(cursor, "RETURN 1")
    cursor.execute("UNWIND range(1, 5000) AS x RETURN x")
    seen["rows"] = len(cursor.fetchall())
    connection.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))  # noqa: T201 - the answer of the script
