"""Cut links and full disks, in name spaces of their own, as a soak uses them."""

import subprocess
import sys
from pathlib import Path

import pytest

from memgraph_ha.drill.soak.isolation import why_not_isolated

pytestmark = pytest.mark.skipif(why_not_isolated() is not None, reason=str(why_not_isolated()))

_INSIDE = """
import errno, socket, sys, trio
from pathlib import Path
from memgraph_ha.drill.soak.isolation import cut, fill, heal, mount_small_disk, unmount
from memgraph_ha.drill.soak.plan import Way

def reach(port):
    with socket.socket() as client:
        client.settimeout(0.3)
        try:
            client.connect(("127.0.0.1", port))
        except OSError as error:
            return "hangs" if isinstance(error, TimeoutError) else errno.errorcode[error.errno]
        return "open"

async def links(port):
    for way in Way:
        print(reach(port), end=" ")
        await cut(port, way)
        print(way.value, reach(port), end=" ")
        await heal(port, way)
    print(reach(port))

async def disks(path):
    await mount_small_disk(path, 1)
    fill(path / "filler")
    try:
        (path / "more").write_bytes(b"x" * 10)
        print("not full")
    except OSError as error:
        print(errno.errorcode[error.errno], end=" ")
    (path / "filler").unlink()
    (path / "more").write_bytes(b"x" * 10)
    print("freed", end=" ")
    await unmount(path)
    print(list(path.iterdir()))

with socket.create_server(("127.0.0.1", 0)) as server:
    trio.run(links, server.getsockname()[1])
trio.run(disks, Path(sys.argv[1]))
"""

_ENTER = "import sys; from memgraph_ha.drill.soak.isolation import enter; enter([sys.executable, *sys.argv[1:]])"


def test_links_are_cut_and_disks_are_full_there_alone(tmp_path: Path) -> None:
    """To a port connections are refused, back from it they hang; healed they work. A full disk takes not a byte."""
    done = subprocess.run(
        [sys.executable, "-c", _ENTER, "-c", _INSIDE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    links, disks = done.stdout.splitlines()
    assert links == "open there ENETUNREACH open back hangs open both ENETUNREACH open"
    assert disks == "ENOSPC freed []"
