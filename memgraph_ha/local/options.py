"""What `memgraph-ha local` can be asked for, and the errors that end its start."""

import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import field, frozen
from platformdirs import user_state_path

from memgraph_ha.adapters.accounts import Accounts, AccountsError, load_accounts
from memgraph_ha.core import PolicyError, parse_policy
from memgraph_ha.runtime.policies import read_policy_file
from memgraph_ha.runtime.usage import UsageError

FAKE: Final = "memgraph-ha-fake"
"""The bundled stand-in, started whenever no real binary is named."""


@frozen(kw_only=True)
class LocalOptions:
    """A cluster on this machine. What is None was not asked for: a new cluster takes the default, an old one its own.

    Attributes:
        data: Its data directory.
        binary: What to run as an instance; the bundled fake by default.
        instances: How many, 2 to 9; the first two may be MAIN. Three by default. An old cluster is changed to it.
        port: Where the read/write gateway listens; 7687 by default.
        ro_port: Where the read-only gateway listens; 0 for none, 7688 by default.
        http_port: Where the HTTP API and the status page listen; 0 for none, 8080 by default.
        bolt_base: Bolt port of the first instance, the others follow; 17687 by default.
        replication_base: Likewise, of their replication servers; 20000 by default.
        monitoring_base: Likewise, of their log websockets; 17444 by default.
        metrics_base: Likewise, of their metrics; 19091 by default.
        arguments: Further arguments for the binary.
        policy: The policy fields that were given, checked; they win over those kept with the cluster, in this run.
        accounts: Memgraph's users, from the accounts file; None: it has none, or they are not ours to care for.
        verbose: Whether to print every event, not only what changes for an operator.
        trace: Where to record what the controller is told and decides; None: nowhere.
        trace_mib: How large that may become, its older parts included, MiB.
    """

    data: Path
    binary: Path | None = None
    instances: int | None = None
    port: int | None = None
    ro_port: int | None = None
    http_port: int | None = None
    bolt_base: int | None = None
    replication_base: int | None = None
    monitoring_base: int | None = None
    metrics_base: int | None = None
    arguments: tuple[str, ...] = ()
    policy: Mapping[str, object] = field(factory=dict)
    accounts: Accounts | None = None
    verbose: bool = False
    trace: Path | None = None
    trace_mib: int = 256


def default_data_dir() -> Path:
    """Where a cluster lives if nothing else is said: the user's state directory."""
    return user_state_path("memgraph-ha") / "local"


def find_binary(given: Path | None) -> Path:
    """Find what to run as an instance.

    Args:
        given: What ``--memgraph`` names; None: the fake that was installed with this program.

    Raises:
        UsageError: It does not exist or cannot be executed.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            missing = "cannot be executed" if given.exists() else "does not exist"
            raise UsageError(f"--memgraph {given} {missing}; give the path of a Memgraph binary")
        return Path(found).resolve()
    beside = Path(sys.executable).parent / FAKE
    found = str(beside) if beside.exists() else shutil.which(FAKE)
    if found is None:
        raise UsageError(f"{FAKE} is not installed beside {sys.executable}; reinstall memgraph-ha, or give --memgraph")
    return Path(found)


def read_accounts(file: Path | None) -> Accounts | None:
    """Read the accounts file, if one was given.

    Raises:
        UsageError: It cannot be used.
    """
    try:
        return None if file is None else load_accounts(file)
    except AccountsError as error:
        raise UsageError(f"--accounts: {error}") from None


def read_policy(file: Path | None, settings: tuple[str, ...]) -> dict[str, object]:
    """Read policy fields from a TOML file and ``--set`` options, which win, and check them.

    Args:
        file: TOML with policy fields at the top level; None for the defaults.
        settings: Each ``field=value``; a value is read as TOML, a bare word as text.

    Returns:
        What was given, and nothing else.

    Raises:
        UsageError: The file cannot be read, a setting has no ``=``, or a value is not allowed.
    """
    values: dict[str, object] = {}
    if file is not None:
        values.update(read_policy_file(file, "--policy"))
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {setting!r} is not of the form field=value, e.g. --set failover_limit=100")
        values[name.strip()] = _value(text.strip())
    try:
        parse_policy(values)
    except PolicyError as error:
        raise UsageError(str(error)) from None
    return values


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
