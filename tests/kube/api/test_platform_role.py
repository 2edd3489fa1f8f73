"""The rights that `KubePlatform` and the init container need on a real API server: these suffice, each is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from memgraph_ha.adapters.kubernetes.errors import ForbiddenError
from memgraph_ha.adapters.kubernetes.marker import Marker
from memgraph_ha.core.commands import RebuildInstance, StopInstance
from memgraph_ha.core.facts import MembersSeen, Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.kube.set_aside import Volume
from memgraph_ha.testing import check_platform
from memgraph_ha.testing.contract import Sink
from tests.kube.api.pods_rig import Rig, client_of, life, member, rig_on
from tests.kube.api.roles import Rule, restricted, rule
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

PODS, SETS = "get list watch delete", "list watch"
MAPS, MADE = "get patch", "create"
INIT = [rule("", "configmaps", "get patch", "r-rebuild")]
COMMAND = "from memgraph_ha.kube.set_aside import set_aside; set_aside()"


def controller(pods: str = PODS, sets: str = SETS, maps: str = MAPS, made: str = MADE) -> list[Rule]:
    """Write the rules of a controller, as far as the platform needs them."""
    rules = [
        rule("", "pods", pods),
        rule("apps", "statefulsets", sets, "db"),
        rule("", "configmaps", maps, "r-rebuild"),
        rule("", "configmaps", made),
    ]
    return [each for each in rules if each["verbs"]]


async def test_these_rights_suffice(kube_api: ApiServer, tmp_path: Path) -> None:
    """The contract of the platform is kept with nothing more."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig:
        file = await restricted(rig.world.client, kube_api.kubeconfig, controller(), tmp_path / "controller.json")
        client = client_of(file, rig.world.client.namespace)
        await check_platform(rig.platform(client), within_s=20.0)
        client.close()


@pytest.mark.parametrize(
    ("rights", "what"),
    [
        (controller(pods="list watch delete"), "get"),
        (controller(pods="get list watch"), "delete"),
        (controller(maps="patch"), "get"),
        (controller(maps="get"), "patch"),
        (controller(made=""), "create"),
    ],
    ids=["get pods", "delete pods", "get configmaps", "patch configmaps", "create configmaps"],
)
async def test_a_command_without_a_right_names_it(
    kube_api: ApiServer, tmp_path: Path, rights: list[Rule], what: str
) -> None:
    """It is refused with the verb that is missing, and nothing was deleted that would not be moved."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.platform().watch, rig.told)
        seen = await rig.all_up()
        file = await restricted(rig.world.client, kube_api.kubeconfig, rights, tmp_path / "poor.json")
        client = client_of(file, rig.world.client.namespace)
        name, incarnation = member(seen, "db-0").name, life(seen, "db-0")
        if what == "patch":  # with nothing to patch it would be created
            await rig.markers().put(InstanceName("db-9"), an_order(), version=None, timeout_s=5)
        ended = await rig.platform(client).rebuild(
            RebuildInstance(instance=name, incarnation=incarnation, generation=1)
        )
        assert ended.outcome is Outcome.REFUSED
        assert f'cannot {what} resource "' in ended.detail
        assert "Role" in ended.detail
        assert (await rig.world.pods())["db-0"].metadata.deletion_timestamp is None
        stopped = await rig.platform(client).stop(StopInstance(instance=name, incarnation=incarnation, generation=1))
        assert (stopped.outcome is Outcome.REFUSED) == ("pods" in ended.detail)
        client.close()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "rights",
    [controller(pods="get delete watch"), controller(pods="get list delete"), controller(sets="watch")],
    ids=["list pods", "watch pods", "list statefulsets"],
)
async def test_without_a_right_to_watch_the_log_says_which(
    kube_api: ApiServer, tmp_path: Path, rights: list[Rule], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is made up meanwhile: no pod is taken for gone."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        file = await restricted(rig.world.client, kube_api.kubeconfig, rights, tmp_path / "poor.json")
        client = client_of(file, rig.world.client.namespace)
        told = Sink()
        nursery.start_soon(rig.platform(client).watch, told)
        await rig.until(lambda: len(rig.world.lives) == 3, "all pods run")
        logged = ""
        with trio.move_on_after(20):
            while "forbidden" not in logged:
                await trio.sleep(0.2)
                logged += capsys.readouterr().out
        verb = "watch" if rights == controller(pods="get list delete") else "list"
        assert f"cannot {verb} resource" in logged
        if verb == "watch":  # then it goes on by listing
            await told.due(MembersSeen, _complete, within_s=20, port="Platform", clause="lists alone tell who there is")
        else:
            assert told.facts == []
        client.close()
        nursery.cancel_scope.cancel()


def _complete(seen: MembersSeen) -> bool:
    return all(each.incarnation for each in seen.members)


def an_order(pod_uid: str = "uid-old") -> Marker:
    """Make an order that counts."""
    return Marker(
        id="ab12",
        pod_uid=pod_uid,
        incarnation=Incarnation(f"{pod_uid}/1"),
        generation=2,
        at="2026-01-31",
        deleted=True,
    )


async def run_command(rig: Rig, kubeconfig: Path, uid: str) -> "subprocess.CompletedProcess[str]":
    """Run `memgraph-ha set-aside` as the init container does."""
    environment = os.environ | {
        "POD_NAME": "db-0",
        "POD_UID": uid,
        "RELEASE_NAME": "r",
        "NAMESPACE": rig.world.client.namespace,
        "KUBECONFIG": str(kubeconfig),
    }
    argv = [sys.executable, "-c", COMMAND, "--data", str(rig.data("db-0")), "--patience-s", "1"]
    done: subprocess.CompletedProcess[str] = await trio.to_thread.run_sync(
        lambda: subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    )
    return done


async def test_the_init_container_as_a_process(kube_api: ApiServer, tmp_path: Path) -> None:
    """With get and patch on the one ConfigMap it does all it has to; its log is one line, its exit code 0."""
    async with rig_on(kube_api.kubeconfig, tmp_path, 0) as rig:
        file = await restricted(rig.world.client, kube_api.kubeconfig, INIT, tmp_path / "memgraph.json")
        first = await run_command(rig, file, "uid-old")
        assert (first.returncode, first.stdout) == (0, ""), first.stderr
        assert first.stderr == "set-aside: nothing is moved: nothing is ordered\n"
        rig.fill("db-0")
        await rig.markers().put(InstanceName("db-0"), an_order(), version=None, timeout_s=5)
        second = await run_command(rig, file, "uid-new")
        assert second.returncode == 0, second.stderr
        assert "put aside into" in second.stderr
        assert [path.name[-5:] for path in rig.aside("db-0")] == ["-ab12"]
        orders = (await rig.markers().read(timeout_s=5)).orders
        assert orders["db-0"].consumed_by == "uid-new"


async def test_an_init_container_without_rights_says_which(kube_api: ApiServer, tmp_path: Path) -> None:
    """It waits, says for what, and ends with exit code 1; Memgraph is not started."""
    async with rig_on(kube_api.kubeconfig, tmp_path, 0) as rig:
        file = await restricted(rig.world.client, kube_api.kubeconfig, [], tmp_path / "memgraph.json")
        ended = await run_command(rig, file, "uid-old")
        assert ended.returncode == 1
        assert 'cannot get resource "configmaps"' in ended.stderr
        assert "Memgraph is not started" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert Volume(data=rig.data("db-0"), pod=InstanceName("db-0"), uid="x").last() is None
        with pytest.raises(ForbiddenError):
            await rig.markers(client_of(file, rig.world.client.namespace)).read(timeout_s=5)
