"""Reading the settings: environment over file over default, and every complaint at once."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar, cast

from attrs import frozen

from memgraph_ha.kube.kinds import NotAllowedError
from memgraph_ha.kube.setting import Setting
from memgraph_ha.kube.settings import CONFIG, SETTINGS
from memgraph_ha.runtime.usage import UsageError

T = TypeVar("T")

_OURS: Final = ("GATEWAY_", "MEMGRAPH_HA_", "MEMGRAPH_")
_OF_COMMANDS: Final = frozenset({"MEMGRAPH_HA_SERVER", "MEMGRAPH_HA_TOKEN"})
"""What the operator's commands read (`memgraph_ha.operate`): the chart sets them for `kubectl exec` into this pod."""

_SERVICE_LINK: Final = re.compile(r".*_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_.*)?)")
"""What kubelet puts into every pod's environment for each Service (documentation, "Service", environment variables)."""

_LONGEST_SHOWN: Final = 80


@frozen(kw_only=True)
class Given:
    """Every setting's value, read and checked.

    Attributes:
        values: By name; of all settings that are given or have a default.
        said: Where each was given that was: ``NAME`` or ``FILE: name``.
        policy: The table ``policy`` of the file.
    """

    values: Mapping[str, object]
    said: Mapping[str, str]
    policy: Mapping[str, object]

    def of(self, setting: Setting[T]) -> T | None:
        """Give a value; None if nothing was given and there is no default."""
        return cast("T | None", self.values.get(setting.name))

    def sure(self, setting: Setting[T]) -> T:
        """Give the value of a setting that has a default."""
        return cast("T", self.values[setting.name])

    def where(self, setting: Setting[T]) -> str:
        """Name a setting as whoever gave it knows it."""
        return self.said.get(setting.name, setting.name)

    @property
    def idle(self) -> tuple[Setting[object], ...]:
        """What was given and has no effect."""
        return tuple(setting for setting in SETTINGS if setting.idle and setting.name in self.said)


def read_settings(environment: Mapping[str, str], overrides: Mapping[str, str]) -> Given:
    """Read every setting.

    Args:
        environment: The process's; an empty variable counts as none, since charts render them.
        overrides: What options of the command line say, by the settings' names; they win.

    Raises:
        UsageError: Values are not allowed, or the file cannot be read; names each and what is allowed.
    """
    spoken = {name: text for name, text in {**environment, **overrides}.items() if text}
    file = spoken.get(CONFIG.name)
    table = {} if file is None else _load(Path(file))
    policy = table.pop("policy", {})
    if not isinstance(policy, dict):
        raise UsageError(f"{file}: policy must be a table: write [policy] above its fields")
    texts = {name: text for name, text in spoken.items() if any(name == setting.name for setting in SETTINGS)}
    said = {name: name for name in texts}
    wrong: list[str] = []
    for key, value in table.items():
        setting = next((each for each in SETTINGS if each.key == key and each is not CONFIG), None)
        if setting is None:
            wrong.append(f"{file}: {key} is not known{_meant(key, [each.key for each in SETTINGS])}")
        elif setting.name not in texts:
            texts[setting.name], said[setting.name] = _plain(value), f"{file}: {key}"
    values: dict[str, object] = {}
    for setting in SETTINGS:
        text = texts.get(setting.name, setting.default)
        if text is not None:
            try:
                values[setting.name] = setting.kind.read(text)
            except NotAllowedError:
                shown = "the value" if setting.secret else repr(text[:_LONGEST_SHOWN])
                where = said.get(setting.name, setting.name)
                wrong.append(f"{where}: {shown} is not allowed; allowed is {setting.kind.allowed}{_link_hint(text)}")
    if wrong:
        raise UsageError("; ".join(wrong))
    return Given(values=values, said=said, policy=policy)


def unknown_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """List variables that look like ours and are not, each with what may have been meant: perhaps a slip."""
    known = [*(setting.name for setting in SETTINGS), *_OF_COMMANDS]
    return tuple(
        f"{name}{_meant(name, known)}"
        for name in sorted(environment)
        if name.startswith(_OURS) and name not in known and _SERVICE_LINK.fullmatch(name) is None
    )


def _load(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{CONFIG.name} {path}: {error.strerror}; give a TOML file that we may read") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{CONFIG.name} {path} is no TOML: {error}") from None


def _plain(value: object) -> str:
    """Write a TOML value as a variable would say it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _link_hint(text: str) -> str:
    """Explain a value that Kubernetes put there: a Service named ``http`` sets HTTP_PORT in every pod."""
    if not text.startswith(("tcp://", "udp://")):
        return ""
    return " (a Service of that name set it: give the pods enableServiceLinks: false)"
