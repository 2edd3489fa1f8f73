"""The operator's commands against the API itself: what one side says is what the other side understands."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import trio
from attrs import frozen

from memgraph_ha.core.requests import Answer, Ask
from tests.api.pictures import PICTURES
from tests.api.rig import TOKEN, SceneControl, Served, served
from tests.core.scenes import ALONE, LOST
from tests.core.views import HEALTHY, M0, M1, M2
from tests.operate.terminal import Ended, run

pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep what the controller logs, in this process, out of what the commands print."""
    with structlog.testing.capture_logs():
        yield


@frozen
class Operator:
    """Somebody who runs commands against a served controller."""

    at: Served

    async def run(self, *arguments: str, token: str = TOKEN) -> Ended:
        """Run one command, in a thread with an event loop of its own."""
        url = f"http://127.0.0.1:{self.at.port}"
        call = functools.partial(run, None, *arguments, MEMGRAPH_HA_SERVER=url, MEMGRAPH_HA_TOKEN=token)
        return await trio.to_thread.run_sync(call)


@pytest.mark.parametrize("name", PICTURES)
async def test_status_of_every_situation(name: str) -> None:
    """Every situation that the status page was looked at in is a status without a complaint, healthy or not."""
    async with served(SceneControl(PICTURES[name])) as at:
        done = await Operator(at).run("status")
        raw = json.loads((await Operator(at).run("status", "--json")).out)
    assert done.code in (0, 1)
    assert done.err == ""
    for instance in raw["instances"]:
        assert instance["name"] in done.out
    for hold in raw["holds"]:
        assert hold["name"] in done.out
        assert hold["ends"] in done.out


async def test_a_healthy_one_and_a_lost_main() -> None:
    """The exit code tells them apart, and so does the picture."""
    async with served(SceneControl(HEALTHY)) as at:
        done = await Operator(at).run("status")
    assert done.code == 0, done.out
    assert "writes    open  port 7687  -> m0" in done.out
    async with served(SceneControl(ALONE)) as at:
        done = await Operator(at).run("status")
    assert done.code == 1
    async with served(SceneControl(LOST)) as at:
        done = await Operator(at).run("status")
    assert done.code == 1
    assert "writes are shut" in done.out


@pytest.mark.parametrize("line", ["history", "explain", "rules", "rules Z99", "policy show", "doctor", "report"])
async def test_everything_that_reads(line: str) -> None:
    """Each is understood, and as JSON it is what the API says."""
    async with served(SceneControl(HEALTHY)) as at:
        words = line.split()
        plain = await Operator(at).run(*words, *(("-o", "/dev/null") if line == "report" else ()))
        raw = json.loads((await Operator(at).run(*words, "--json")).out)
    assert plain.code in (0, 1), plain
    assert plain.err == ""
    assert len(plain.out.splitlines()) >= 2
    assert raw["schema"] == f"memgraph-ha/{words[0]}/1"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("switchover --to m1", (Ask.SWITCHOVER, M1)),
        ("switchover", (Ask.SWITCHOVER, None)),
        ("failover --accept-data-loss m1 --yes", (Ask.FAILOVER, M1)),
        ("restart m2", (Ask.RESTART, M2)),
        ("restart m0 --yes", (Ask.RESTART, M0)),
        ("reinit m2 --yes", (Ask.REINIT, M2)),
        ("adopt m0 --yes", (Ask.ADOPT, M0)),
        ("pause", (Ask.PAUSE, None)),
        ("resume", (Ask.RESUME, None)),
    ],
)
async def test_every_verb_reaches_the_controller(line: str, asked: tuple[Ask, object]) -> None:
    """What is asked for, of whom, by whom and why; a dry run asks the controller for nothing."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        operator = Operator(at)
        done = await operator.run(*line.split(), "--by", "ada", "--reason", "a test")
        assert done.code == 0, done
        if asked[0] not in (Ask.PAUSE, Ask.RESUME):
            words = [word for word in line.split() if word != "--yes"]
            dry = await operator.run(*words, "--dry-run")
            assert dry.code == 0, dry
            assert "taken up" in dry.out
    assert control.asked == [(*asked, "ada", "a test")]


async def test_a_refusal_and_a_silence() -> None:
    """Refused by name: 1. No answer in the time that was given: 5, and the request was withdrawn."""
    control = SceneControl(HEALTHY)
    control.answers = lambda _ask, _instance: Answer(request_id="1", ok=False, text="Flapping: too many reigns")
    async with served(control) as at:
        done = await Operator(at).run("switchover")
        assert (done.code, done.err) == (1, "memgraph-ha: Flapping: too many reigns\n")
        dry = await Operator(at).run("switchover", "--dry-run")
        assert dry.code == 1
        assert "Flapping: too many reigns" in dry.out
        control.answers = lambda _ask, _instance: None
        done = await Operator(at).run("restart", "m2", "--timeout", "1")
        assert done.code == 5
        assert "may still happen" in done.err


async def test_without_the_token_and_without_the_lease() -> None:
    """A wrong token: 4. A controller that does not lead: 3, and who leads is named once."""
    async with served(SceneControl(HEALTHY)) as at:
        done = await Operator(at).run("pause", token="wrong")  # noqa: S106 - of nobody
        assert done.code == 4
    async with served(SceneControl(HEALTHY, leader="controller-b")) as at:
        done = await Operator(at).run("pause")
        assert done.code == 3
        assert done.err.count("controller-b") == 1


async def test_a_policy_goes_all_the_way(tmp_path: Path) -> None:
    """A dry run changes nothing; applied, it is in force; what needs a restart is marked."""
    file = tmp_path / "policy.toml"
    file.write_text('data_durability = "required"\nlease_duration_s = 20\neligible = ["m1", "m2"]\n', encoding="utf-8")
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        operator = Operator(at)
        before = control.policy
        dry = await operator.run("policy", "apply", str(file), "--dry-run")
        assert dry.code == 0, dry
        assert "+ data_durability = required" in dry.out
        assert "+ lease_duration_s = 20   after a restart" in dry.out
        assert "+ eligible = m1, m2" in dry.out
        assert control.policy == before
        assert (await operator.run("policy", "apply", str(file), "--yes")).code == 0
        assert control.policy.eligible == (M1, M2)
        again = await operator.run("policy", "apply", str(file), "--yes")
        assert (again.code, again.out) == (0, "nothing to change: the policy in force already says so\n")
        file.write_text("drain_s = -1\n", encoding="utf-8")
        done = await operator.run("policy", "apply", str(file), "--yes")
    assert done.code == 2
    assert "drain_s" in done.err


async def test_instances() -> None:
    """Growing reaches the controller; a platform that cannot says what can."""
    control = SceneControl(HEALTHY, members_answer=Answer(request_id="1", ok=True, text=""))
    async with served(control) as at:
        assert (await Operator(at).run("instances", "5")).out == "there are 5 now\n"
        control.members_answer = None
        done = await Operator(at).run("instances", "5")
    assert done.code == 1
    assert "StatefulSet" in done.err
