"""What one `memgraph-ha run` was told, checked as a whole."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from attrs import field, frozen

from memgraph_ha.adapters.accounts import Account, Accounts, AccountsError, load_accounts
from memgraph_ha.adapters.kubernetes.client import own_namespace
from memgraph_ha.core import Policy, PolicyError, parse_policy
from memgraph_ha.core.policy import Users
from memgraph_ha.kube import settings as s
from memgraph_ha.kube import settings_gateway as g
from memgraph_ha.kube.given import Given, read_settings
from memgraph_ha.kube.kinds import said
from memgraph_ha.kube.setting import Setting
from memgraph_ha.kube.settings import LogFormat
from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.options import Options
from memgraph_ha.runtime.policies import read_policy_file
from memgraph_ha.runtime.usage import UsageError

T = TypeVar("T")

LEAST_TOKEN: Final = 16
"""Characters of an API token: what is shorter could be guessed."""

STDOUT: Final = Path("-")
"""The trace file that is standard output."""


@frozen(kw_only=True)
class GatewayOptions:
    """How clients are served.

    Attributes:
        rw: Where the read/write gateway listens: host and port.
        ro: Where the read-only one does; None: there is none.
        max_connections: Clients of each at once.
        connect_timeout_s: Longest attempt to reach an instance for a client, seconds.
        options: What the gateways do besides relaying.
    """

    rw: tuple[str, int]
    ro: tuple[str, int] | None
    max_connections: int
    connect_timeout_s: float
    options: Options


@frozen(kw_only=True)
class LogOptions:
    """What is logged, and how.

    Attributes:
        level: The least level, as the standard library counts them.
        form: One line an event: text or JSON.
        source: Whether each line names the code that logged it.
    """

    level: int
    form: LogFormat
    source: bool


@frozen(kw_only=True)
class RunOptions:
    """Everything that the controller needs to know before it asks anybody.

    Attributes:
        namespace: Of everything.
        statefulset: Whose pods the instances are.
        release: Names record, lease and markers.
        pod: Our own.
        pod_ip: Where the other controllers find us; None: they do not.
        pod_uid: By which they know us; None: they do not.
        bolt_port: Of the instances.
        replication_port: Likewise.
        kubeconfig: How to reach the API server; None: as a pod does.
        hook: User and password of the preStop hooks.
        accounts: Whom we log in as, and whom to restore; None: Memgraph has no users.
        token: What callers of the API's verbs must know; None: no token is good.
        token_review: Whether Kubernetes tokens are taken as well.
        policy: The operator's choices.
        policy_from: Where they are set, for people.
        observe_only: Change nothing.
        trace: Where to record; `STDOUT` for standard output; None: nowhere.
        trace_mib: How large that may become, MiB.
        http_host: The address on which the HTTP API listens; None for every one.
        http_port: Its port.
        prestop_s: How long a preStop hook is kept waiting at most, seconds.
        log: What is logged.
        gateways: How clients are served.
        warnings: What is not wrong, and worth a word: each is logged at the start.
    """

    namespace: str
    statefulset: str
    release: str
    pod: str
    pod_ip: str | None
    pod_uid: str | None
    bolt_port: int
    replication_port: int
    kubeconfig: Path | None
    hook: tuple[str, str] = field(repr=False)
    accounts: Accounts | None
    token: str | None = field(repr=False)
    token_review: bool
    policy: Policy
    policy_from: str
    observe_only: bool
    trace: Path | None
    trace_mib: int
    http_host: str | None
    http_port: int
    prestop_s: float
    log: LogOptions
    gateways: GatewayOptions
    warnings: tuple[str, ...] = ()

    @property
    def lease(self) -> str:
        """The Lease's name."""
        return f"{self.release}-leader"

    @property
    def record(self) -> str:
        """The name of the record's ConfigMap: the predecessor's."""
        return f"{self.release}-state"

    @property
    def marker(self) -> str:
        """The name of the ConfigMap of rebuild markers."""
        return f"{self.release}-rebuild"


def read_options(environment: Mapping[str, str], overrides: Mapping[str, str]) -> RunOptions:
    """Read what this process was told.

    Args:
        environment: Its environment.
        overrides: What options of the command line say, by the settings' names.

    Raises:
        UsageError: Something is missing, not allowed, or does not fit together.
    """
    given = read_settings(environment, overrides)
    statefulset = _needed(given, s.STATEFULSET_NAME, given.of(s.STATEFULSET_NAME))
    password = _password(given)
    user = given.sure(s.MEMGRAPH_USER)
    accounts = _accounts(given, None if password is None else Account(user=user, password=password))
    policy, policy_from = _policy(given, accounts)
    warnings = [f"{given.where(each)} has no effect: {each.idle}" for each in given.idle]
    if password is None:
        warnings.append("MEMGRAPH_PASSWORD is not given: whoever reaches the HTTP port may call the preStop hook")
    return RunOptions(
        namespace=_needed(given, s.NAMESPACE, given.of(s.NAMESPACE) or own_namespace()),
        statefulset=statefulset,
        release=given.of(s.RELEASE_NAME) or statefulset,
        pod=given.of(s.POD_NAME) or socket.gethostname(),
        pod_ip=given.of(s.POD_IP),
        pod_uid=given.of(s.POD_UID),
        bolt_port=given.sure(s.BOLT_PORT),
        replication_port=given.sure(s.REPLICATION_PORT),
        kubeconfig=given.of(s.KUBECONFIG),
        hook=(user, password or ""),
        accounts=accounts,
        token=_token(given),
        token_review=given.sure(s.TOKEN_REVIEW),
        policy=policy,
        policy_from=policy_from,
        observe_only=given.sure(s.OBSERVE_ONLY),
        trace=given.of(s.TRACE),
        trace_mib=given.sure(s.TRACE_MIB),
        http_host=given.of(s.HTTP_ADDRESS),
        http_port=given.sure(s.HTTP_PORT),
        prestop_s=float(given.sure(s.PRESTOP_TIMEOUT)),
        log=LogOptions(
            level=given.sure(s.LOG_LEVEL), form=given.sure(s.LOG_FORMAT), source=given.sure(s.LOG_ADD_SOURCE)
        ),
        gateways=_gateways(given),
        warnings=tuple(warnings),
    )


def _needed(given: Given, setting: Setting[str], value: str | None) -> str:
    if value is None:
        raise UsageError(f"{given.where(setting)} is not set; give {setting.kind.allowed} ({setting.doc})")
    return value


def _read(given: Given, setting: Setting[Path], path: Path) -> str:
    """Read a small secret file: without the newline that editors add, and never shown.

    Raises:
        UsageError: It cannot be read, is empty, or no text.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{given.where(setting)} {path}: {error.strerror}; give a file that we may read") from None
    except UnicodeDecodeError:
        raise UsageError(f"{given.where(setting)} {path} is not UTF-8; save it as UTF-8") from None
    if not text:
        raise UsageError(f"{given.where(setting)} {path} is empty; write the secret into it")
    return text


def _password(given: Given) -> str | None:
    password, path = given.of(s.MEMGRAPH_PASSWORD), given.of(s.MEMGRAPH_PASSWORD_FILE)
    if password is not None and path is not None:
        raise UsageError("MEMGRAPH_PASSWORD and MEMGRAPH_PASSWORD_FILE are both set; give one of them")
    return password if path is None else _read(given, s.MEMGRAPH_PASSWORD_FILE, path)


def _token(given: Given) -> str | None:
    path = given.of(s.API_TOKEN_FILE)
    if path is None:
        return None
    token = _read(given, s.API_TOKEN_FILE, path)
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable():
        where = given.where(s.API_TOKEN_FILE)
        raise UsageError(f"{where} {path}: a token has {LEAST_TOKEN} or more printable ASCII characters")
    return token


def _accounts(given: Given, controller: Account | None) -> Accounts | None:
    path = given.of(s.ACCOUNTS_FILE)
    if path is None:
        return None if controller is None else Accounts(controller=controller)
    try:
        return load_accounts(path, controller=controller, group_reads=True)
    except AccountsError as error:
        raise UsageError(f"{given.where(s.ACCOUNTS_FILE)}: {error}") from None


def _policy(given: Given, accounts: Accounts | None) -> tuple[Policy, str]:
    path = given.of(s.POLICY_FILE)
    if path is not None and given.policy:
        config = given.of(s.CONFIG)
        raise UsageError(f"{given.where(s.POLICY_FILE)} {path} and [policy] in {config}: set the policy in one place")
    source = str(path or given.of(s.CONFIG) or "its defaults")
    try:
        policy = parse_policy(given.policy if path is None else read_policy_file(path, given.where(s.POLICY_FILE)))
    except PolicyError as error:
        raise UsageError(f"{source}: {error}") from None
    if policy.users is Users.RESTORE and accounts is None:
        raise UsageError(
            f"{source}: policy field users: 'restore' needs to know which; give MEMGRAPH_PASSWORD or "
            f'{s.ACCOUNTS_FILE.name}, or users = "none"'
        )
    return policy, source


def _gateways(given: Given) -> GatewayOptions:
    rw, ro = given.sure(g.GATEWAY_BIND), given.sure(g.GATEWAY_READ_BIND)
    ro_on = given.sure(g.ENABLE_READ_GATEWAY)
    ports = {given.where(g.GATEWAY_BIND): rw[1], given.where(s.HTTP_PORT): given.sure(s.HTTP_PORT)}
    if ro_on:
        ports[given.where(g.GATEWAY_READ_BIND)] = ro[1]
    if len(set(ports.values())) < len(ports):
        named = ", ".join(f"{name} {port}" for name, port in ports.items())
        raise UsageError(f"{named}: each listener needs a port of its own")
    connect_s, most_s = given.sure(g.GATEWAY_CONNECTION_TIMEOUT), given.sure(g.GATEWAY_TIMEOUT)
    if connect_s > most_s:
        raise UsageError(
            f"{given.where(g.GATEWAY_CONNECTION_TIMEOUT)}: {said(connect_s)} is longer than "
            f"{given.where(g.GATEWAY_TIMEOUT)} ({said(most_s)}); give at most that"
        )
    limited = given.sure(g.GATEWAY_RATE_LIMIT_ENABLED)
    return GatewayOptions(
        rw=rw,
        ro=ro if ro_on else None,
        max_connections=given.sure(g.GATEWAY_MAX_CONNECTIONS),
        connect_timeout_s=connect_s,
        options=Options(
            source_rate_per_s=given.sure(g.GATEWAY_RATE_LIMIT_RPS) if limited else 0,
            source_burst=given.sure(g.GATEWAY_RATE_LIMIT_BURST),
            idle_timeout_s=given.sure(g.GATEWAY_IDLE_TIMEOUT),
            tls=_certificate(given),
        ),
    )


def _certificate(given: Given) -> Certificate | None:
    if not given.sure(g.GATEWAY_TLS_ENABLED):
        return None
    try:
        return Certificate(given.sure(g.GATEWAY_TLS_CERT), given.sure(g.GATEWAY_TLS_KEY))
    except ValueError as error:
        raise UsageError(f"GATEWAY_TLS_ENABLED: {error}") from None
