"""What `memgraph-ha run` makes of its environment, its file and its flags."""

import logging
import re
from pathlib import Path

import pytest

from memgraph_ha.core.policy import DataDurability, Users
from memgraph_ha.kube.given import read_settings, unknown_names
from memgraph_ha.kube.options import RunOptions, read_options
from memgraph_ha.kube.settings import SETTINGS, LogFormat
from memgraph_ha.operate.places import TOKEN_VARIABLE
from memgraph_ha.runtime.usage import UsageError

LEAST = {"NAMESPACE": "graph", "STATEFULSET_NAME": "mg"}
SECRET = "correct horse battery"  # noqa: S105 - opens nothing

OLD_NAMES = [
    "APP_NAME",
    "NAMESPACE",
    "STATEFULSET_NAME",
    "MEMGRAPH_USER",
    "MEMGRAPH_PASSWORD",
    "RECONCILE_INTERVAL",
    "HTTP_PORT",
    "BOLT_PORT",
    "REPLICATION_PORT",
    "GATEWAY_BIND_ADDRESS",
    "LOG_LEVEL",
    "LOG_ADD_SOURCE",
    "LOG_FORMAT",
    "ENABLE_READ_GATEWAY",
    "ENABLE_ADMIN_API",
    "RELEASE_NAME",
    "POD_NAME",
    "PRESTOP_TIMEOUT_SECONDS",
    "KUBECONFIG",
    "GATEWAY_MAX_CONNECTIONS",
    "GATEWAY_TIMEOUT",
    "GATEWAY_HEALTH_CHECK_INTERVAL",
    "GATEWAY_CONNECTION_TIMEOUT",
    "GATEWAY_IDLE_TIMEOUT",
    "GATEWAY_CLEANUP_INTERVAL",
    "GATEWAY_BUFFER_SIZE",
    "GATEWAY_MAX_BYTES_PER_CONNECTION",
    "GATEWAY_TLS_ENABLED",
    "GATEWAY_TLS_CERT_PATH",
    "GATEWAY_TLS_KEY_PATH",
    "GATEWAY_RATE_LIMIT_ENABLED",
    "GATEWAY_RATE_LIMIT_RPS",
    "GATEWAY_RATE_LIMIT_BURST",
    "GATEWAY_RATE_LIMIT_WINDOW",
    "GATEWAY_LOG_LEVEL",
    "GATEWAY_TRACE_ENABLED",
]
"""Every name that the predecessor's code reads (reference-inventory 1.1)."""


def options(**more: str) -> RunOptions:
    """Read options from the least that is needed, and more."""
    return read_options({**LEAST, **more}, {})


def file(folder: Path, name: str, text: str, mode: int = 0o440) -> str:
    """Write a file as a Secret's volume has it; gives its path."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_least_that_must_be_given() -> None:
    """Names follow from the StatefulSet's, and everything else has a default."""
    found = options()
    assert (found.release, found.lease, found.record, found.marker) == ("mg", "mg-leader", "mg-state", "mg-rebuild")
    assert (found.http_port, found.bolt_port, found.replication_port) == (8080, 7687, 10000)
    assert (found.gateways.rw, found.gateways.ro) == (("0.0.0.0", 7687), None)  # noqa: S104 - the default
    assert (found.log.level, found.log.form, found.log.source) == (logging.INFO, LogFormat.TEXT, True)
    assert found.pod
    assert found.accounts is None
    assert any("preStop" in warning for warning in found.warnings)


@pytest.mark.parametrize("name", LEAST)
def test_what_must_be_given_is_named(name: str) -> None:
    """Without it there is no start; an empty variable is none."""
    with pytest.raises(UsageError, match=f"{name} is not set"):
        read_options({**LEAST, name: ""}, {})


def test_every_name_of_the_predecessor_is_taken_with_its_default() -> None:
    """A Deployment made for it starts, and what has no effect any more is said."""
    known = {setting.name: setting for setting in SETTINGS}
    assert set(OLD_NAMES) == {setting.name for setting in SETTINGS if setting.old}
    given = {name: known[name].default for name in OLD_NAMES}
    given |= {"GATEWAY_IDLE_TIMEOUT": "5m", "MEMGRAPH_PASSWORD": SECRET, "APP_NAME": "memgraph", "RELEASE_NAME": "rel"}
    found = options(**{name: text for name, text in given.items() if text is not None})
    assert found.gateways.options.idle_timeout_s == 300
    assert found.gateways.connect_timeout_s == 10
    idle = [warning.partition(" ")[0] for warning in found.warnings]
    assert idle == [setting.name for setting in SETTINGS if setting.idle]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Each with its name, its value and what is allowed; a password is never shown."""
    with pytest.raises(UsageError) as caught:
        options(HTTP_PORT="http", GATEWAY_IDLE_TIMEOUT="5 minutes", LOG_FORMAT="xml", BOLT_PORT="tcp://10.0.0.1:7687")
    said = str(caught.value)
    assert "HTTP_PORT: 'http' is not allowed; allowed is a whole number from 1 to 65535" in said
    assert "GATEWAY_IDLE_TIMEOUT: '5 minutes' is not allowed; allowed is 0 for never, or 1m to 24h" in said
    assert "LOG_FORMAT: 'xml' is not allowed; allowed is text, json" in said
    assert "enableServiceLinks: false" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"GATEWAY_CONNECTION_TIMEOUT": "31s"}, "GATEWAY_CONNECTION_TIMEOUT: 31s is longer than GATEWAY_TIMEOUT (30s)"),
        ({"HTTP_PORT": "7687"}, "GATEWAY_BIND_ADDRESS 7687, HTTP_PORT 7687: each listener needs a port of its own"),
        ({"ENABLE_READ_GATEWAY": "yes", "HTTP_PORT": "7688"}, "each listener needs a port of its own"),
        ({"MEMGRAPH_PASSWORD": SECRET, "MEMGRAPH_PASSWORD_FILE": "/x"}, "are both set"),
        ({"MEMGRAPH_PASSWORD_FILE": "/no/such"}, "MEMGRAPH_PASSWORD_FILE /no/such: No such file"),
        ({"MEMGRAPH_HA_API_TOKEN_FILE": "/no/such"}, "MEMGRAPH_HA_API_TOKEN_FILE /no/such: No such file"),
        ({"GATEWAY_TLS_ENABLED": "true"}, "GATEWAY_TLS_ENABLED: tls_cert: /etc/certs/tls.crt cannot be read"),
        ({"MEMGRAPH_HA_POLICY_FILE": "/no/such"}, "MEMGRAPH_HA_POLICY_FILE /no/such: "),
        ({"MEMGRAPH_HA_CONFIG": "/no/such"}, "MEMGRAPH_HA_CONFIG /no/such: No such file"),
    ],
)
def test_what_does_not_fit_together(more: dict[str, str], said: str) -> None:
    """It is refused in one sentence, without a secret."""
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        options(**more)
    assert SECRET not in str(caught.value)


def test_the_file_is_under_the_environment_and_that_under_the_flags(tmp_path: Path) -> None:
    """Names are those of the environment in lower case; values may be numbers and booleans of TOML."""
    text = (
        'namespace = "file"\nstatefulset_name = "mg"\nhttp_port = 9000\nenable_read_gateway = true\n'
        'log_level = "debug"\n[policy]\ndata_durability = "required"\n'
    )
    config = file(tmp_path, "config.toml", text)
    found = read_options({"NAMESPACE": "env", "MEMGRAPH_HA_CONFIG": config}, {"MEMGRAPH_HA_OBSERVE_ONLY": "true"})
    assert (found.namespace, found.http_port, found.observe_only) == ("env", 9000, True)
    assert found.gateways.ro is not None
    assert found.log.level == logging.DEBUG
    assert found.policy.data_durability is DataDurability.REQUIRED
    assert found.policy_from == config


def test_what_is_wrong_in_the_file_is_named_there(tmp_path: Path) -> None:
    """An unknown name gets the one that may have been meant; a value, the file and its name."""
    config = file(tmp_path, "config.toml", 'namespac = "x"\nhttp_port = "many"\n')
    with pytest.raises(UsageError) as caught:
        options(MEMGRAPH_HA_CONFIG=config)
    said = str(caught.value)
    assert f"{config}: namespac is not known; did you mean namespace?" in said
    assert f"{config}: http_port: 'many' is not allowed" in said
    assert "HTTP_PORT:" not in said
    broken = file(tmp_path, "broken.toml", "= nonsense")
    with pytest.raises(UsageError, match="is no TOML"):
        options(MEMGRAPH_HA_CONFIG=broken)
    with pytest.raises(UsageError, match="policy must be a table"):
        options(MEMGRAPH_HA_CONFIG=file(tmp_path, "flat.toml", "policy = 1"))


def test_the_policy_is_set_in_one_place_and_checked(tmp_path: Path) -> None:
    """In the file of settings or in one of its own, not in both."""
    policy = file(tmp_path, "policy.toml", "failover_limit = 7\n")
    assert options(MEMGRAPH_HA_POLICY_FILE=policy).policy.failover_limit == 7
    config = file(tmp_path, "config.toml", "[policy]\nfailover_limit = 8\n")
    with pytest.raises(UsageError, match="set the policy in one place"):
        options(MEMGRAPH_HA_POLICY_FILE=policy, MEMGRAPH_HA_CONFIG=config)
    wrong = file(tmp_path, "wrong.toml", "failover_limit = -1\n")
    with pytest.raises(UsageError, match=re.escape(f"{wrong}: policy field failover_limit: -1 is out of range")):
        options(MEMGRAPH_HA_POLICY_FILE=wrong)


def test_accounts_come_from_the_environment_a_file_or_both(tmp_path: Path) -> None:
    """The file may leave out whom the environment names, and must not contradict it; a Secret's mode is taken."""
    restore = file(tmp_path, "policy.toml", 'users = "restore"\n')
    with pytest.raises(UsageError, match="give MEMGRAPH_PASSWORD or MEMGRAPH_HA_ACCOUNTS_FILE"):
        options(MEMGRAPH_HA_POLICY_FILE=restore)
    alone = options(MEMGRAPH_HA_POLICY_FILE=restore, MEMGRAPH_PASSWORD=SECRET)
    assert alone.policy.users is Users.RESTORE
    assert alone.accounts is not None
    assert alone.accounts.auth == alone.hook == ("memgraph", SECRET)
    accounts = file(tmp_path, "accounts.toml", '[[account]]\nuser = "app"\npassword = "p"\n')
    both = options(MEMGRAPH_HA_ACCOUNTS_FILE=accounts, MEMGRAPH_USER="keeper", MEMGRAPH_PASSWORD=SECRET)
    assert both.accounts is not None
    assert [each.user for each in both.accounts.everyone] == ["keeper", "app"]
    other = file(tmp_path, "other.toml", '[controller]\nuser = "somebody"\npassword = "else"\n')
    with pytest.raises(UsageError, match="is not whom the controller logs in as"):
        options(MEMGRAPH_HA_ACCOUNTS_FILE=other, MEMGRAPH_PASSWORD=SECRET)
    with pytest.raises(UsageError, match="others could read the passwords"):
        options(MEMGRAPH_HA_ACCOUNTS_FILE=file(tmp_path, "open.toml", accounts, mode=0o444))


def test_secrets_come_from_files_and_show_nowhere(tmp_path: Path) -> None:
    """The newline of an editor is no part of one; what could be guessed is no token."""
    found = options(
        MEMGRAPH_PASSWORD_FILE=file(tmp_path, "password", f"{SECRET}\n"),
        MEMGRAPH_HA_API_TOKEN_FILE=file(tmp_path, "token", "0123456789abcdef\n"),
    )
    assert found.hook[1] == SECRET
    assert found.token == "0123456789abcdef"  # noqa: S105 - made up
    assert SECRET not in repr(found)
    assert "0123456789abcdef" not in repr(found)
    for bad in ("short", "", "ümläut-ümläut-ümläut"):
        with pytest.raises(UsageError, match="MEMGRAPH_HA_API_TOKEN_FILE"):
            options(MEMGRAPH_HA_API_TOKEN_FILE=file(tmp_path, f"bad-{len(bad)}", bad))


def test_names_that_look_like_ours_are_pointed_out() -> None:
    """Slips are; what Kubernetes itself puts there for Services is not."""
    links = ("MEMGRAPH_HA_SERVICE_HOST", "MEMGRAPH_HA_PORT_7687_TCP_ADDR", "GATEWAY_PORT", "GATEWAY_SERVICE_PORT_BOLT")
    found = unknown_names({"GATEWAY_BIND_ADRESS": "x", "PATH": "y", **dict.fromkeys(links, "z")})
    assert found == ("GATEWAY_BIND_ADRESS; did you mean GATEWAY_BIND_ADDRESS?",)


def test_what_the_operators_commands_read_is_no_slip() -> None:
    """The chart sets both in the controllers' pods, so that `kubectl exec` asks the leader."""
    assert unknown_names({TOKEN_VARIABLE: "x", "MEMGRAPH_HA_SERVER": "y"}) == ()
    assert unknown_names({"MEMGRAPH_HA_TOKENS": "x"}) == ("MEMGRAPH_HA_TOKENS; did you mean MEMGRAPH_HA_TOKEN?",)


def test_every_default_is_allowed() -> None:
    """A default that its own kind refuses would end every start."""
    given = read_settings({}, {})
    assert set(given.values) == {setting.name for setting in SETTINGS if setting.default is not None}
