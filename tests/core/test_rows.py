"""Reading what Memgraph prints. The lines are from the recordings of 3.6.1; a map is what Bolt makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.rows import parse_replicas, parse_role, parse_storage_info, version_tuple
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus, StorageMode


def line(name: str, address: str, mode: str, data: object) -> dict[str, object]:
    """One row of SHOW REPLICAS with the columns of 3.6.1 (transcripts official, a)."""
    return {"name": name, "socket_address": address, "sync_mode": mode, "system_info": None, "data_info": data}


def data(status: str, ts: int, behind: int) -> dict[str, object]:
    """A whole `data_info`."""
    return {"memgraph": {"behind": behind, "status": status, "ts": ts}}


RECORDED = [
    pytest.param(
        line("r1", "127.0.0.1:10001", "sync", data("ready", 0, 0)),
        (Mode.SYNC, RowStatus.READY, 0, 0),
        id='official: "r1" | "127.0.0.1:10001" | "sync" | null | {memgraph: {behind: 0, status: "ready", ts: 0}}',
    ),
    pytest.param(
        line("r1", "127.0.0.1:10001", "strict_sync", data("ready", 4, 0)),
        (Mode.STRICT_SYNC, RowStatus.READY, 4, 0),
        id='official: "strict_sync" | null | {memgraph: {behind: 0, status: "ready", ts: 4}}',
    ),
    pytest.param(
        line("r2", "127.0.0.1:10002", "async", data("recovery", 2, -2)),
        (Mode.ASYNC, RowStatus.RECOVERY, 2, -2),
        id='official: "async" | null | {memgraph: {behind: -2, status: "recovery", ts: 2}}',
    ),
    pytest.param(
        line("r1", "127.0.0.1:10001", "sync", data("invalid", 0, -2)),
        (Mode.SYNC, RowStatus.INVALID, 0, -2),
        id='official: {memgraph: {behind: -2, status: "invalid", ts: 0}}',
    ),
    pytest.param(
        line("r0", "127.0.0.1:10000", "async", data("ready", 9, 2)),
        (Mode.ASYNC, RowStatus.READY, 9, 2),
        id="Q3: the undetected old epoch, ready with behind +2",
    ),
    pytest.param(
        line("r0", "127.0.0.1:10000", "sync", data("diverged", 3, -1)),
        (Mode.SYNC, RowStatus.DIVERGED, 3, -1),
        id="Q11: diverged with behind -1",
    ),
    pytest.param(
        line("r1", "127.0.0.1:10001", "strict_sync", data("replicating", 8, -2)),
        (Mode.STRICT_SYNC, RowStatus.REPLICATING, 8, -2),
        id="Q4: replicating during a stall",
    ),
    pytest.param(
        line("r9", "127.0.0.1:10999", "sync", {}),
        (Mode.SYNC, RowStatus.HALF, None, None),
        id='official: "r9" | "127.0.0.1:10999" | "sync" | null | {} (after Error: 5)',
    ),
]


@pytest.mark.parametrize(("printed", "read"), RECORDED)
def test_recorded_rows_are_read_as_they_were_meant(
    printed: dict[str, object], read: tuple[Mode, RowStatus, int | None, int | None]
) -> None:
    """Each status word, each mode, half rows and both signs of `behind`, as a real server printed them."""
    mode, status, ts, behind = read
    expected = Row(
        name=printed["name"],  # type: ignore[arg-type]  # it is the row's text
        address=printed["socket_address"],  # type: ignore[arg-type]  # as above
        mode=mode,
        status=status,
        ts=ts,
        behind=behind,
    )
    assert parse_replicas([printed]) == (expected,)


def test_rows_keep_the_servers_order_and_names() -> None:
    """Host names and quoted names come back as they were registered (transcripts official, REGISTER)."""
    printed = [
        line("r7", "no-such-host:10000", "sync", {}),
        line("memgraph-2", "localhost:10001", "async", data("ready", 2, 0)),
    ]
    assert [(row.name, row.address) for row in parse_replicas(printed)] == [
        ("r7", "no-such-host:10000"),
        ("memgraph-2", "localhost:10001"),
    ]
    assert parse_replicas([]) == ()


@pytest.mark.parametrize(
    "info",
    [
        None,
        "",
        "{}",
        [],
        7,
        {"other": {"status": "ready"}},
        {"memgraph": None},
        {"memgraph": "ready"},
        {"memgraph": []},
        {"memgraph": {}},
        {"memgraph": {"status": None}},
        {"memgraph": {"status": "READY"}},
        {"memgraph": {"status": "{}"}},
        {"memgraph": {"status": "?"}},
        {"memgraph": {"status": "new word"}},
        {"memgraph": {"status": ["ready"]}},
    ],
    ids=repr,
)
def test_an_unreadable_data_info_is_neither_healthy_nor_half(info: object) -> None:
    """What cannot be read is UNKNOWN, the worst case: it takes no commits, and it is never dropped."""
    (row,) = parse_replicas([line("r1", "127.0.0.1:10001", "async", info)])
    assert row.status is RowStatus.UNKNOWN
    assert not row.takes_commits
    assert not row.droppable


@pytest.mark.parametrize("value", [None, "2", 2.0, True, {}], ids=repr)
def test_numbers_that_are_none_stay_unknown(value: object) -> None:
    """A `ts` that is no integer is not taken for one."""
    (row,) = parse_replicas(
        [line("r1", "h:1", "async", {"memgraph": {"status": "ready", "ts": value, "behind": value}})]
    )
    assert (row.status, row.ts, row.behind) == (RowStatus.READY, None, None)


@pytest.mark.parametrize("mode", [None, "", "SYNC", "Strict_Sync", 1, ["async"]], ids=repr)
def test_a_mode_that_is_none_stays_unknown(mode: object) -> None:
    """A later version's word is not taken for one of ours."""
    (row,) = parse_replicas([{**line("r1", "h:1", "x", {}), "sync_mode": mode}])
    assert row.mode is None


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
columns = st.sampled_from(["name", "socket_address", "sync_mode", "system_info", "data_info", "memgraph"]) | st.text()


@given(st.lists(st.dictionaries(columns, junk, max_size=6), max_size=3))
def test_any_rows_are_read(printed: list[dict[str, object]]) -> None:
    """Reading rows is total: one row out for each row in."""
    assert len(parse_replicas(printed)) == len(printed)


@given(st.dictionaries(columns | st.sampled_from(["database_uuid", "vertex_count", "edge_count"]), junk))
def test_any_storage_info_is_read(printed: dict[str, object]) -> None:
    """Reading storage info is total."""
    uuid, bare, mode = parse_storage_info(printed)
    assert uuid is None or isinstance(uuid, str)
    assert bare in (None, True, False)
    assert isinstance(mode, StorageMode)


@given(junk)
def test_any_role_is_read(value: object) -> None:
    """Reading a role is total, and only the two words are roles."""
    assert parse_role(value) is {"main": Role.MAIN, "replica": Role.REPLICA}.get(
        value if isinstance(value, str) else ""
    )


STORAGE_3_6_1: dict[str, object] = {
    "name": "memgraph",
    "database_uuid": "8ccf6784-dff4-47d7-b3a8-00ca322a431b",
    "vertex_count": 0,
    "edge_count": 0,
    "average_degree": 0.0,
    "vm_max_map_count": 65530,
    "memory_res": "54.45MiB",
    "peak_memory_res": "54.45MiB",
    "unreleased_delta_objects": 0,
    "disk_usage": "80.50KiB",
    "memory_tracked": "0B",
    "allocation_limit": "21.19GiB",
    "global_isolation_level": "SNAPSHOT_ISOLATION",
    "session_isolation_level": "",
    "next_session_isolation_level": "",
    "storage_mode": "IN_MEMORY_TRANSACTIONAL",
}
"""SHOW STORAGE INFO of a fresh 3.6.1 (transcripts official, a)."""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (STORAGE_3_6_1["database_uuid"], True, StorageMode.TRANSACTIONAL)),
        ({"vertex_count": 1}, (STORAGE_3_6_1["database_uuid"], False, StorageMode.TRANSACTIONAL)),
        ({"edge_count": 1}, (STORAGE_3_6_1["database_uuid"], False, StorageMode.TRANSACTIONAL)),
        ({"edge_count": None}, (STORAGE_3_6_1["database_uuid"], None, StorageMode.TRANSACTIONAL)),
        ({"vertex_count": None}, (STORAGE_3_6_1["database_uuid"], None, StorageMode.TRANSACTIONAL)),
        ({"database_uuid": None}, (None, True, StorageMode.TRANSACTIONAL)),
        (
            {"storage_mode": "IN_MEMORY_ANALYTICAL"},
            (STORAGE_3_6_1["database_uuid"], True, StorageMode.ANALYTICAL),
        ),
        ({"storage_mode": "ON_DISK_TRANSACTIONAL"}, (STORAGE_3_6_1["database_uuid"], True, StorageMode.ON_DISK)),
        ({"storage_mode": "NEW"}, (STORAGE_3_6_1["database_uuid"], True, StorageMode.UNKNOWN)),
    ],
    ids=["fresh", "a vertex", "an edge", "no edges", "no vertices", "no uuid", "analytical", "on disk", "unknown mode"],
)
def test_storage_info_says_which_data_and_whether_any(changes: dict[str, object], expected: object) -> None:
    """The uuid, emptiness and mode of a real server's answer; what is missing stays unknown."""
    assert parse_storage_info({**STORAGE_3_6_1, **changes}) == expected


def test_the_instance_wide_form_of_3_11_says_neither_uuid_nor_counts() -> None:
    """From 3.11 on the plain query has no data of the database: it must not look empty (semantics 8)."""
    assert parse_storage_info({"vm_max_map_count": 65530, "global_storage_mode": "IN_MEMORY_TRANSACTIONAL"}) == (
        None,
        None,
        StorageMode.UNKNOWN,
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("3.6.1", (3, 6, 1)),
        ("3.12.0+5~abc", (3, 12, 0)),
        ("3.12.0-rc5", (3, 12, 0)),
        ("3.10", (3, 10)),
        (" 3.6.1\n", (3, 6, 1)),
        ("", None),
        ("x", None),
        ("3.", None),
        ("3.6.x", None),
        ("٣.٦", None),
        ("-3.1", None),
    ],
)
def test_versions_compare_as_numbers(text: str, read: tuple[int, ...] | None) -> None:
    """3.12 is later than 3.6; what begins with no numbers is unknown."""
    assert version_tuple(text) == read
