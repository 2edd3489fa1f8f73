"""The few exceptions of the core, split by whose fault they are."""


class PolicyError(ValueError):
    """You configured something that cannot be: names the field, the value and what is allowed."""


class RecordError(ValueError):
    """The stored record cannot be read as one of ours: names the field, the value and what is allowed."""


class InvariantViolation(AssertionError):  # noqa: N818 - "Violation" is the field's word for it
    """Our bug: a decision or a state broke an invariant. The daemon closes the gateways and exits."""


class RecordSchemaError(RecordError):
    """The record was written under another schema: it may be fine, but not for this version to judge."""
