"""Write what is made from the chart's values.yaml, its schema and the policy: the reference and parts of the chart.

python -m scripts.generate_chart_docs           write docs/reference/values.md, the table in the chart's README.md,
                                                and the policy in its values.schema.json
python -m scripts.generate_chart_docs --check   write nothing; name every file that is not in step (exit code 1)
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml
from attrs import fields, frozen

from memgraph_ha.api.documents import plain_policy
from memgraph_ha.core import Policy
from scripts.generate_api_docs import table
from scripts.in_step import ROOT, keep

CHART: Final = ROOT / "charts" / "memgraph-ha"
_SAYS: Final = "# -- "
_BEGIN: Final = "<!-- made by scripts/generate_chart_docs.py from values.yaml: change that, not this -->\n"
_END: Final = "\n<!-- end -->"
_LINE: Final = 118

_INTRODUCTION: Final = """\
# Values of the chart

What `helm install ... --set` and `--values` take. A name that is not here, or a value that is not allowed, is refused
with its name. [How to install](../how-to/install.md) has the few that most need.

"""


class ValuesError(ValueError):
    """values.yaml and the schema do not say the same."""


@frozen(kw_only=True)
class Value:
    """One value of the chart.

    Attributes:
        path: Its names, outermost first.
        doc: What it means, from the comment above it.
        default: What it is if nothing is given.
        schema: What is allowed.
    """

    path: tuple[str, ...]
    doc: str
    default: object
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        """As ``--set`` takes it."""
        return ".".join(self.path)


# --- the schema of the policy --------------------------------------------------------------------------


def policy_schema() -> dict[str, Any]:
    """Say which fields a policy has, of which type, and in which range, as JSON schema.

    `users` is not among them: it follows `auth.enabled`.
    """
    defaults = plain_policy(Policy())
    properties = {each.name: _field_schema(each, defaults[each.name]) for each in fields(Policy)}
    del properties["users"]
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _field_schema(attribute: Any, default: object) -> dict[str, Any]:
    if isinstance(default, list):
        return {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2, "uniqueItems": True}
    if isinstance(default, str):
        return {"type": "string", "enum": [word.value for word in type(attribute.default)]}
    kind = "integer" if attribute.type is int else "number"
    return {"type": kind, "minimum": attribute.validator.low, "maximum": attribute.validator.high}


def schema_text(schema: Mapping[str, Any]) -> str:
    """Lay a schema out: what fits stands on one line."""
    return _laid_out(schema, 0) + "\n"


def _laid_out(part: object, depth: int) -> str:
    line = json.dumps(part, ensure_ascii=False)
    if len(line) + depth <= _LINE or not isinstance(part, dict):
        return line
    inner = " " * (depth + 1)
    lines = (f"{inner}{json.dumps(name)}: {_laid_out(each, depth + 1)}" for name, each in part.items())
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


# --- values.yaml ---------------------------------------------------------------------------------------


def read_values(text: str, schema: Mapping[str, Any]) -> tuple[Value, ...]:
    """List every value with its comment, in the file's order.

    Raises:
        ValuesError: A value has no comment, or is not in the schema, or the schema has one more.
    """
    found = tuple(_read(text, schema, yaml.safe_load(text)))
    named = {value.path for value in found}
    for path in _leaves(schema, named):
        if path not in named and path != ("global",):
            raise ValuesError(f"values.schema.json allows {'.'.join(path)}, which values.yaml does not have")
    return found


def _read(text: str, schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Value]:
    path: list[str] = []
    doc: list[str] = []
    described = -1
    for line in text.splitlines():
        stripped = line.strip()
        depth = (len(line) - len(line.lstrip())) // 2
        if stripped.startswith("#"):
            if stripped.startswith(_SAYS):
                doc = [stripped.removeprefix(_SAYS)]
            elif doc:
                doc.append(stripped.removeprefix("#").strip())
            continue
        if 0 <= described < depth or not stripped:
            continue  # inside a value that was described as a whole
        described = -1
        path[depth:] = [stripped.partition(":")[0]]
        if doc:
            yield Value(path=tuple(path), doc=" ".join(doc), default=_at(defaults, path), schema=_allowed(schema, path))
            described, doc = depth, []
        elif not isinstance(_at(defaults, path), dict):
            raise ValuesError(f"values.yaml: {'.'.join(path)} has no comment that begins with '{_SAYS.strip()}'")


def _at(defaults: Any, path: list[str]) -> object:
    for name in path:
        defaults = defaults[name]
    return defaults


def _allowed(schema: Mapping[str, Any], path: list[str]) -> Mapping[str, Any]:
    for name in path:
        if name not in schema.get("properties", {}):
            raise ValuesError(f"values.schema.json does not know {'.'.join(path)}")
        schema = schema["properties"][name]
    return schema


def _leaves(
    schema: Mapping[str, Any], named: set[tuple[str, ...]], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, part in schema["properties"].items():
        here = (*path, name)
        if here not in named and part.get("additionalProperties") is False and part["properties"]:
            yield from _leaves(part, named, here)
        else:
            yield here


# --- pages ---------------------------------------------------------------------------------------------


def allowed_text(schema: Mapping[str, Any]) -> str:
    """Say in words what a value may be."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "array":
        return f"list of {schema['items'].get('type', 'any')}s"
    if schema["type"] == "object":
        return "map"
    return str(schema["type"])


def values_table(values: tuple[Value, ...]) -> str:
    """Lay the values out as a table."""
    lines = (
        (f"`{v.name}`", f"`{json.dumps(v.default, ensure_ascii=False)}`", allowed_text(v.schema), v.doc) for v in values
    )
    return table(("value", "default", "allowed", "means"), lines)


def files() -> dict[str, str]:
    """Make every file anew: path in the repository to content.

    Raises:
        ValuesError: values.yaml and the schema do not say the same.
    """
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    schema["properties"]["policy"] = policy_schema()
    values = values_table(read_values((CHART / "values.yaml").read_text(encoding="utf-8"), schema))
    before, _, rest = (CHART / "README.md").read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return {
        "charts/memgraph-ha/values.schema.json": schema_text(schema),
        "charts/memgraph-ha/README.md": f"{before}{_BEGIN}\n{values}\n{_END}{after}",
        "docs/reference/values.md": f"{_BEGIN}\n{_INTRODUCTION}{values}\n",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(files, "generate_chart_docs", arguments, ROOT)


if __name__ == "__main__":
    sys.exit(main())
