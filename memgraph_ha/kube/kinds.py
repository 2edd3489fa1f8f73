"""Kinds of values that a setting takes: how each is read, and what is allowed, in words for its error.

The predecessor read booleans in three ways and fell back to a default wherever it could not read a value; here every
kind reads all of those spellings, and what it cannot read ends the start (reference-inventory 1.1).
"""

import ipaddress
import math
import re
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from attrs import frozen

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TRUE: Final = frozenset({"true", "1", "yes", "on", "t"})
_FALSE: Final = frozenset({"false", "0", "no", "off", "f"})
_MOST_PORT: Final = 65535


class NotAllowedError(ValueError):
    """A value is not what its kind allows; whoever reads it says which and what is."""


class Kind(Protocol[T_co]):
    """How a value is read."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What may be given, in words that follow "allowed is"."""

    @abstractmethod
    def read(self, text: str) -> T_co:
        """Read a value.

        Raises:
            NotAllowedError: It is not allowed.
        """


@frozen
class Text:
    """Text of a form, e.g. a Kubernetes name.

    Attributes:
        pattern: What the whole text must match.
        allowed: That, in words.
    """

    pattern: str
    allowed: str

    def read(self, text: str) -> str:
        """Take it as it is."""
        if re.fullmatch(self.pattern, text, re.DOTALL) is None:
            raise NotAllowedError
        return text


def name(most: int) -> Text:
    """A DNS label of RFC 1123, as Kubernetes wants for most names.

    Args:
        most: Characters.
    """
    return Text(
        rf"(?=.{{1,{most}}}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        f"a Kubernetes name: lower-case letters, digits and '-', at most {most} characters",
    )


ANY: Final = Text(r".+", "any text")
"""Whatever is not empty."""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise NotAllowedError from None


@frozen
class Ip:
    """An address of IPv4 or IPv6."""

    @property
    def allowed(self) -> str:
        """The form."""
        return "an IP address"

    def read(self, text: str) -> str:
        """Read it; gives its usual spelling."""
        return _address(text)


IP: Final = Ip()
"""Any address."""


@frozen
class Whole:
    """A whole number in a range.

    Attributes:
        least: The smallest.
        most: The largest.
    """

    least: int
    most: int

    @property
    def allowed(self) -> str:
        """The range."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, text: str) -> int:
        """Read it."""
        found = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
        if not self.least <= found <= self.most:
            raise NotAllowedError
        return found


PORT: Final = Whole(1, _MOST_PORT)
"""A TCP port."""


@frozen
class Seconds:
    """A duration, as Go writes them (``30s``, ``1m30s``, ``500ms``), or a bare number of seconds.

    Attributes:
        least: The shortest, seconds.
        most: The longest, seconds.
        or_zero: Whether 0 may be given: never, or off.
    """

    least: float
    most: float
    or_zero: bool = False

    @property
    def allowed(self) -> str:
        """The range."""
        zero = "0 for never, or " if self.or_zero else ""
        return f"{zero}{said(self.least)} to {said(self.most)} (as 30s, 5m, 1h30m, or seconds)"

    def read(self, text: str) -> float:
        """Read it as seconds."""
        if _NUMBER.fullmatch(text):
            found = float(text)
        elif _DURATION.fullmatch(text):
            found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        else:
            raise NotAllowedError
        if not (self.least <= found <= self.most or (self.or_zero and found == 0)):
            raise NotAllowedError
        return found


def said(seconds: float) -> str:
    """Say a duration as Go does, in its largest whole unit."""
    for unit, factor in (("h", 3600), ("m", 60)):
        if seconds >= factor and math.isclose(seconds % factor, 0):
            return f"{seconds / factor:g}{unit}"
    return f"{seconds:g}s"


@frozen
class Flag:
    """Yes or no."""

    @property
    def allowed(self) -> str:
        """The words."""
        return "true or false (also 1/0, yes/no, on/off)"

    def read(self, text: str) -> bool:
        """Read it, whatever its case."""
        word = text.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise NotAllowedError


@frozen
class Word(Generic[T]):
    """One of a few words.

    Attributes:
        words: Each word, in lower case, and what it stands for.
    """

    words: Mapping[str, T]

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self.words)

    def read(self, text: str) -> T:
        """Read it, whatever its case."""
        try:
            return self.words[text.lower()]
        except KeyError:
            raise NotAllowedError from None


@frozen
class Listen:
    """Where to listen: ``HOST:PORT``; the predecessor's form, which resolves no names."""

    @property
    def allowed(self) -> str:
        """The form."""
        return "IP:PORT, e.g. 0.0.0.0:7687, [::]:7687, or :7687 for every address"

    def read(self, text: str) -> tuple[str, int]:
        """Read it as host and port."""
        host, colon, port = text.rpartition(":")
        if not colon:
            raise NotAllowedError
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if bare != host or ":" not in host:  # a v6 address needs its brackets: ::1:80 could be either
            address = "0.0.0.0" if not bare else _address(bare)  # noqa: S104 - it was asked for
            return address, PORT.read(port)
        raise NotAllowedError


@frozen
class File:
    """The path of a file; that it can be read is found out when it is."""

    @property
    def allowed(self) -> str:
        """Any path."""
        return "the path of a file"

    def read(self, text: str) -> Path:
        """Read it."""
        return Path(text)
