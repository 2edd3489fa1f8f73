"""``policy.toml``: the operator's choices that are kept with a cluster, so that they outlive its controllers."""

import enum
import json
import tomllib
from collections.abc import Mapping
from typing import Final

from memgraph_ha.adapters.json_fields import FieldError

_HEAD: Final = (
    "# The policy of this cluster, as `memgraph-ha policy apply` left it. Options of `memgraph-ha local` win.\n"
)


def dump_policy(values: Mapping[str, object]) -> bytes:
    """Write policy fields as TOML, to be read back by `read_policy_file`.

    Args:
        values: Field names to numbers, truth values, texts, words of an enumeration, or lists of these.

    Raises:
        FieldError: A value is something else.
    """
    lines = (f"{json.dumps(name)} = {_toml(name, value)}\n" for name, value in values.items())
    return (_HEAD + "".join(lines)).encode()


def parse_policy_file(content: bytes, where: str) -> dict[str, object]:
    """Read what `dump_policy` or a human wrote; whether the fields may be so is for `parse_policy` to say.

    Args:
        content: All of the file.
        where: Its path, for complaints.

    Raises:
        FieldError: It is not TOML.
    """
    try:
        return tomllib.loads(content.decode())
    except ValueError as error:  # also what tomllib and the decoder raise
        raise FieldError(f"{where}: is not TOML ({error}); mend it, or remove it for the defaults") from None


def _toml(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return _toml(name, value.value)
        case int() | float():
            return repr(value)
        case str() if value.isprintable():
            return json.dumps(value, ensure_ascii=False)  # of printable text the same in TOML
        case list() | tuple():
            return f"[{', '.join(_toml(name, each) for each in value)}]"
        case _:
            raise FieldError(
                f"policy field {name}: {value!r} cannot be kept; give a number, a text, or a list of texts"
            )
