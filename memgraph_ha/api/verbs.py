"""The handlers of everything that changes something."""

import http
from typing import Final

from attrs import frozen
from starlette.responses import Response

from memgraph_ha.api.cluster import Json
from memgraph_ha.api.control import NoAnswer, NotLeading, NotSupported
from memgraph_ha.api.documents import plain_policy
from memgraph_ha.api.endpoints import LONGEST_WAIT_S, Call, Handler, Refused, answer
from memgraph_ha.api.predecessor import timestamp
from memgraph_ha.api.reading import (
    LONGEST_BY,
    LONGEST_REASON,
    bad,
    flag_of,
    instance_of,
    number_of,
    text_of,
    whole_of,
)
from memgraph_ha.api.stakes import stake_of
from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import parse_policy
from memgraph_ha.core.requests import Answer, Ask

DEFAULT_WAIT_S: Final = 30.0
"""How long a verb waits for its end if the caller does not say."""

FEWEST, MOST = 2, 9
"""How many instances a cluster may have."""


@frozen(kw_only=True)
class Verb:
    """One verb, and what its body must name.

    Attributes:
        ask: What is asked of the controller.
        field: The body's field that names an instance; None: it names none.
        needed: Whether that field must be given.
        lossy: Whether the caller must say that a loss is accepted.
    """

    ask: Ask
    field: str | None = None
    needed: bool = True
    lossy: bool = False

    @property
    def handler(self) -> Handler:
        """What answers it."""

        async def handle(call: Call) -> Response:
            return await self._answer(call)

        return handle

    async def _answer(self, call: Call) -> Response:
        body, control = call.body, call.control
        instance = None
        if self.field is not None:
            instance = instance_of(body, self.field, control.now(), needed=self.needed)
        dry = flag_of(body, "dry_run")
        if self.lossy and not dry and body.get("accept_data_loss") is not True:
            bad(
                'field accept_data_loss: give {"accept_data_loss": true} to accept that acknowledged writes are lost; '
                "dry_run says first what could be"
            )
        by, reason = who(body)
        wait_s = number_of(body, "wait_s", DEFAULT_WAIT_S, LONGEST_WAIT_S)
        if dry:
            return self._dry(call, instance)
        try:
            ended = await control.ask(self.ask, instance, by=by, reason=reason, wait_s=wait_s)
        except NotLeading as error:
            raise elsewhere(error) from None
        except NoAnswer:
            raise no_answer(self.ask.value, wait_s) from None
        return told(ended)

    def _dry(self, call: Call, instance: InstanceName | None) -> Response:
        try:
            refusal = call.control.refusal(self.ask, instance)
        except NotLeading as error:
            raise elsewhere(error) from None
        text = f"{self.ask.value} would be taken up now" if refusal is None else f"it would be refused now: {refusal}"
        if self.lossy and instance is not None:
            stake = call.control.at_stake(instance)
        else:
            stake = stake_of(call.control.now().view, self.ask, instance)
        text = f"{text}; at stake: {stake}" if stake else text
        return answer({"ok": refusal is None, "text": text})


def who(body: Json) -> tuple[str, str]:
    """Read who asks, and why."""
    return text_of(body, "by", "api", LONGEST_BY) or "api", text_of(body, "reason", "", LONGEST_REASON)


def told(ended: Answer) -> Response:
    """Answer with the end of a request: 409 if it was refused by name."""
    if ended.ok:
        return answer({"ok": True, "text": ended.text})
    return answer({"ok": False, "text": ended.text, "error": ended.text}, http.HTTPStatus.CONFLICT)


def elsewhere(error: NotLeading) -> Refused:
    """Answer that another controller must be asked."""
    where = f"ask {error.leader}, which leads" if error.leader else "nobody leads at the moment; try again in seconds"
    return Refused(
        http.HTTPStatus.SERVICE_UNAVAILABLE,
        f"this controller does not lead: {where}",
        more={"leader": error.leader},
        headers={"Retry-After": "2"},
    )


def no_answer(what: str, wait_s: float) -> Refused:
    """Answer that nothing was heard in time."""
    text = f"no answer to {what} within {wait_s:g} s; it may still happen, so look at /api/v1/cluster before the next"
    return Refused(http.HTTPStatus.GATEWAY_TIMEOUT, text)


async def put_policy(call: Call) -> Response:
    """Put other values of the policy in force, or say what they would change."""
    given, control = call.body.get("fields"), call.control
    if not isinstance(given, dict):
        bad('field fields is missing; give the fields to change, e.g. {"fields": {"drain_s": 5}}')
    dry = flag_of(call.body, "dry_run")
    old = plain_policy(control.policy)
    try:
        policy = parse_policy({**old, **given})
    except PolicyError as error:
        bad(str(error))
    new = plain_policy(policy)
    changed = [
        {"name": name, "old": old[name], "new": new[name], "needs_restart": name in control.restart_fields}
        for name in new
        if new[name] != old[name]
    ]
    if changed and not dry:
        try:
            await control.apply_policy(policy)
        except NotSupported as error:
            raise Refused(http.HTTPStatus.CONFLICT, str(error)) from None
    count = f"{len(changed)} field{'s' if len(changed) != 1 else ''}"
    text = f"{count} would change" if dry else f"{count} changed" if changed else "nothing to change"
    return answer({"ok": True, "text": text, "changed": changed})


async def put_instances(call: Call) -> Response:
    """Grow or shrink the cluster."""
    count = whole_of(call.body, "count", FEWEST, MOST)
    try:
        return told(await call.control.change_members(count))
    except NotLeading as error:
        raise elsewhere(error) from None
    except NotSupported as error:
        raise Refused(http.HTTPStatus.NOT_FOUND, str(error)) from None


async def reset_connections(call: Call) -> Response:
    """Cut every client of this controller's gateways."""
    count = call.control.reset_connections()
    return answer(
        {
            "status": "success",
            "connections_reset": count,
            "timestamp": timestamp(call.control.now().now),
            "message": f"{count} client connections were cut",
        }
    )
