"""`KubePlatform` keeps the contract of `Platform` on a real API server."""

from pathlib import Path

import pytest

from memgraph_ha.testing import check_platform
from tests.kube.api.pods_rig import rig_on
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]


async def test_the_contract_is_kept(kube_api: ApiServer, tmp_path: Path) -> None:
    """Members are told, exactly the named process is ended, and a rebuild moves the data of the next pod."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig:
        for name in ("db-0", "db-1", "db-2"):
            rig.fill(name)
        await check_platform(rig.platform(), within_s=20.0)
        await rig.until(lambda: len(rig.aside("db-0")) == 1, "the next pod has moved the data")
        assert (rig.aside("db-0")[0] / "wal" / "file").read_text() == "wal"
        assert not (rig.data("db-0") / "snapshots").exists()
        assert rig.aside("db-1") == []
        assert (rig.data("db-1") / "wal" / "file").exists()
