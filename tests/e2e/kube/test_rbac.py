"""The chart's Role on a real cluster: it suffices, and each verb of it is missed as soon as it is taken away.

That no verb is asked for which the Role lacks, and that each is used, `tests/chart/test_role.py` shows; all other tests
here run with it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from attrs import frozen

from tests.e2e.kube.conduct import LONG, tell
from tests.e2e.kube.controller_log import ControllerLog
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(1200)]

_MISSED_S: Final = 120.0
_WAIT_S: Final = 20.0
"""What is asked for is given up when nobody waits for it any more; a row is dropped in a quiet moment only."""

_ASKED_S: Final = 30.0
_AGAIN_S: Final = 20.0


@frozen(kw_only=True)
class _Right:
    """One verb on one kind of thing."""

    resource: str
    verb: str

    def __str__(self) -> str:
        """Name it as a person would."""
        return f"{self.verb} {self.resource}"

    @property
    def refusal(self) -> str:
        """Give the API server's words when it lacks (RBAC's, in a 403)."""
        return f'cannot {self.verb} resource "{self.resource}"'


_SAMPLE: Final = (
    _Right(resource="leases", verb="patch"),
    _Right(resource="configmaps", verb="patch"),
    _Right(resource="pods", verb="patch"),
    _Right(resource="pods", verb="delete"),
)
"""Without these nobody leads, nothing is decided, clients find nobody, and no MAIN is fenced."""


def test_each_verb_of_the_role_is_missed(release: Release) -> None:
    """Each verb is taken away in turn: a controller says which one it lacks; given back, all is well again."""
    record = release.protected()
    release.start_writers(2)
    rights = _rights(release)
    assert set(_SAMPLE) <= set(rights)
    for right in rights if LONG else _SAMPLE:
        begun_s = time.monotonic()
        with _without(release, right):
            missed_s = _provoke_until_missed(release, right)
        assert release.protected().generation == record.generation, f"for want of `{right}` MAIN was changed"
        tell(f"{right}: missed after {missed_s:.1f} s, whole again after {time.monotonic() - begun_s:.1f} s")
    release.assert_sound()


def _rights(release: Release) -> list[_Right]:
    rules = release.host.api.get(_role(release)).json()["rules"]
    found = {
        _Right(resource=resource, verb=verb): None
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return list(found)


@contextlib.contextmanager
def _without(release: Release, right: _Right) -> Iterator[None]:
    """Take a verb out of the Role; it is given back in the end."""
    path = _role(release)
    rules: list[dict[str, Any]] = release.host.api.get(path).json()["rules"]
    fewer = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != right.verb]}
        if right.resource in rule["resources"]
        else rule
        for rule in rules
    ]
    # A rule must have a verb.
    release.host.api.change(path, {"rules": [rule for rule in fewer if rule["verbs"]]})
    try:
        yield
    finally:
        release.host.api.change(path, {"rules": rules})


def _provoke_until_missed(release: Release, right: _Right) -> float:
    """Ask for what needs it until a controller's log tells of the refusal; gives how long it took, seconds.

    Again and again: whoever is asked may lose the lease at that moment, to what the right before this one was for.
    """
    provoke, begun_s, provoked_s = _provocation(right), time.monotonic(), -_AGAIN_S

    def missed() -> bool:
        nonlocal provoked_s
        if time.monotonic() - begun_s - provoked_s > _AGAIN_S:
            provoked_s = time.monotonic() - begun_s
            provoke(release)
        logs = (
            ControllerLog.of(release.host.place, release.namespace, pod).events() for pod in release.pods("controller")
        )
        return any(right.refusal in str(value) for log in logs for event in log for value in event.values())

    return until(missed, _MISSED_S, lambda: f"a controller says that it cannot {right}\n{release.tail()}")


def _provocation(right: _Right) -> Callable[[Release], None]:
    """Say what makes a controller use a verb soon."""
    match right.resource, right.verb:
        case ("pods", "delete" | "get") | ("configmaps", "create"):
            return _reinit
        case ("configmaps", "patch") | ("events", _):
            return _pause_twice
        case ("leases", "create"):
            return _delete_lease
        case _:
            return _restart_controllers


def _restart_controllers(release: Release) -> None:
    """All that controllers do at their start: list, watch, read, campaign, label themselves."""
    for pod in release.pods("controller"):
        release.delete(pod.name, grace_s=5)


def _reinit(release: Release) -> None:
    """Give up a replica's data: an order is written, and its pod is deleted."""
    record = release.protected()
    assert record.standby is not None
    replica = next(name for name in release.instances if name not in {record.main, record.standby.instance})
    release.host.api.delete(f"/api/v1/namespaces/{release.namespace}/configmaps/{release.name}-rebuild")
    _ask(release, "reinit", {"instance": replica, "wait_s": _WAIT_S})


def _pause_twice(release: Release) -> None:
    """What happens again is written into the record again, and is one Event, counted up."""
    for _ in range(2):
        _ask(release, "pause", {"reason": "to see it told"})
        _ask(release, "resume", {})


def _delete_lease(release: Release) -> None:
    """Whoever wants to lead must make it again."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases"
    release.host.api.delete(f"{leases}/{release.name}-leader")


def _ask(release: Release, verb: str, body: dict[str, object]) -> None:
    """Ask the leader for something; that it cannot do it, for it lacks a right, is no error here."""
    with contextlib.suppress(httpx.HTTPError):
        release.ask(verb, body, _ASKED_S)


def _role(release: Release) -> str:
    return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{release.namespace}/roles/{release.name}-controller"
