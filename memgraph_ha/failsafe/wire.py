"""Questions and answers as they travel: JSON, signed with a key that only the controllers of one release have.

Each answer names the question that it answers, and each question its number, which only rises: what somebody
recorded is worth nothing the second time.
"""

import hashlib
import hmac
import json
from typing import Final

from memgraph_ha.failsafe.promiser import Question, Reply

SIGNED: Final = ("message", "mac")
"""The fields of what travels: the message as JSON text, and its HMAC-SHA256 in hexadecimal digits."""

LARGEST: Final = 4096
"""No message of ours is longer, in characters."""

_ASK: Final = "memgraph-ha failsafe question 1"
_REPLY: Final = "memgraph-ha failsafe answer 1"


class WireError(ValueError):
    """A message is not from a controller that has our key, or makes no sense; the text says which, and no secret."""


def failsafe_key(token: str) -> bytes:
    """Make the key from the API token, which all controllers of a release have and nobody else.

    Args:
        token: Not empty.
    """
    return hmac.digest(token.encode(), b"memgraph-ha failsafe", hashlib.sha256)


def write_question(question: Question, key: bytes) -> dict[str, str]:
    """Sign a question."""
    made = {
        "session": question.session,
        "term": question.term,
        "serial": question.serial,
        "to": question.to,
        "for_s": question.for_s,
        "reads": question.reads,
    }
    return _signed(_ASK, made, key)


def read_question(signed: object, key: bytes) -> Question:
    """Read a question.

    Raises:
        WireError: It is none, or not from somebody with our key.
    """
    made = _opened(_ASK, signed, key)
    return Question(
        session=_text(made, "session"),
        term=_whole(made, "term"),
        serial=_whole(made, "serial"),
        to=_text(made, "to"),
        for_s=_number(made, "for_s"),
        reads=_flag(made, "reads"),
    )


def write_reply(reply: Reply, key: bytes) -> dict[str, str]:
    """Sign an answer."""
    made = {
        "uid": reply.uid,
        "session": reply.session,
        "term": reply.term,
        "serial": reply.serial,
        "promised": reply.promised,
        "why": reply.why,
    }
    return _signed(_REPLY, made, key)


def read_reply(signed: object, key: bytes) -> Reply:
    """Read an answer.

    Raises:
        WireError: It is none, or not from somebody with our key.
    """
    made = _opened(_REPLY, signed, key)
    return Reply(
        uid=_text(made, "uid"),
        session=_text(made, "session"),
        term=_whole(made, "term"),
        serial=_whole(made, "serial"),
        promised=_flag(made, "promised"),
        why=_text(made, "why"),
    )


def _signed(kind: str, made: dict[str, object], key: bytes) -> dict[str, str]:
    message = json.dumps(made, separators=(",", ":"))
    return {"message": message, "mac": _mac(kind, message, key)}


def _mac(kind: str, message: str, key: bytes) -> str:
    return hmac.new(key, f"{kind}\n{message}".encode(), hashlib.sha256).hexdigest()


def _opened(kind: str, signed: object, key: bytes) -> dict[str, object]:
    if not isinstance(signed, dict) or set(signed) != set(SIGNED):
        raise WireError(f"a signed message has the fields {' and '.join(SIGNED)}, and no others")
    message, mac = signed["message"], signed["mac"]
    if not isinstance(message, str) or not isinstance(mac, str) or len(message) > LARGEST:
        raise WireError(f"message and mac must be texts, of at most {LARGEST} characters")
    if not hmac.compare_digest(_mac(kind, message, key).encode(), mac.encode(errors="replace")):
        raise WireError("the signature is not of our key; give all controllers the same API token")
    try:
        made = json.loads(message)
    except ValueError:
        made = None
    if not isinstance(made, dict):
        raise WireError("the message is no JSON object, though it bears our signature")
    return made


def _text(made: dict[str, object], name: str) -> str:
    value = made.get(name)
    if not isinstance(value, str):
        raise WireError(f"field {name} of the message is no text; do all controllers run the same version?")
    return value


def _whole(made: dict[str, object], name: str) -> int:
    value = made.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WireError(f"field {name} of the message is no whole number; do all controllers run the same version?")
    return value


def _number(made: dict[str, object], name: str) -> float:
    value = made.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise WireError(f"field {name} of the message is no number; do all controllers run the same version?")
    return float(value)


def _flag(made: dict[str, object], name: str) -> bool:
    value = made.get(name)
    if not isinstance(value, bool):
        raise WireError(f"field {name} of the message is neither true nor false; do all run the same version?")
    return value
