"""A few words to write JSON schemas (2020-12, as OpenAPI 3.1 has them) in one line per field."""

Schema = dict[str, object]
"""A JSON schema."""


def text(doc: str, *, words: tuple[str, ...] = ()) -> Schema:
    """A text, or one of a few words."""
    return {"type": "string", "description": doc, **({"enum": list(words)} if words else {})}


def flag(doc: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": doc}


def whole(doc: str) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": doc}


def number(doc: str) -> Schema:
    """A number."""
    return {"type": "number", "description": doc}


def anything(doc: str) -> Schema:
    """Any JSON value."""
    return {"description": doc}


def many(item: Schema, doc: str) -> Schema:
    """A list."""
    return {"type": "array", "items": item, "description": doc}


def by_name(value: Schema, doc: str) -> Schema:
    """An object whose names are data."""
    return {"type": "object", "additionalProperties": value, "description": doc}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    rest = {name: value for name, value in schema.items() if name != "description"}
    doc = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [rest, {"type": "null"}], **doc}


def named(name: str, doc: str = "") -> Schema:
    """A schema of the table, by name."""
    return {"$ref": f"#/components/schemas/{name}", **({"description": doc} if doc else {})}


def fields(doc: str, /, *, absent: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object that has all these fields, but for those that may be absent."""
    required = [name for name in properties if name not in absent]
    return {"type": "object", "description": doc, "properties": properties, "required": required}


def asked(doc: str, /, *, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """The body of a request: no other field is taken."""
    found: Schema = {"type": "object", "description": doc, "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found
