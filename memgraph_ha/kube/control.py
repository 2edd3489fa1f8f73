"""The controller on Kubernetes as the HTTP API sees it."""

from attrs import frozen

from memgraph_ha.api.control import NotSupported, Snapshot
from memgraph_ha.core import Answer, Policy
from memgraph_ha.kube.options import RunOptions
from memgraph_ha.kube.output import Log
from memgraph_ha.runtime.control import DeskControl
from memgraph_ha.runtime.policies import RESTART_FIELDS


@frozen(kw_only=True)
class KubeControl(DeskControl):
    """Implements `Control`.

    Attributes:
        options: What this process was told.
        log: Its log.
    """

    options: RunOptions
    log: Log

    @property
    def policy(self) -> Policy:
        """What the operator chose."""
        return self.options.policy

    @property
    def restart_fields(self) -> frozenset[str]:
        """See `RESTART_FIELDS`."""
        return RESTART_FIELDS

    def now(self) -> Snapshot:
        """Say how things stand."""
        return self.snapshot(
            cluster=self.options.release,
            namespace=self.options.namespace,
            lease_name=self.options.lease,
            observe_only=self.options.observe_only,
        )

    async def apply_policy(self, policy: Policy) -> None:
        """Refuse: what is kept in the chart's values must not be changed behind its back.

        Raises:
            NotSupported: Always; says where the policy is set.
        """
        del policy  # the same for every one
        raise NotSupported(
            f"on Kubernetes the policy is set where the controllers are: here by {self.options.policy_from}; "
            "with the chart: helm upgrade, value policy"
        )

    async def change_members(self, count: int) -> Answer:
        """Refuse: the number of instances is the StatefulSet's.

        Raises:
            NotSupported: Always; says how it is changed.
        """
        raise NotSupported(
            f"the StatefulSet has the number of instances: kubectl --namespace {self.options.namespace} "
            f"scale statefulset {self.options.statefulset} --replicas={count}, or the chart's value"
        )

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """Give the last lines of the log."""
        return self.log.tail(lines)
