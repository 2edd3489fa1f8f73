"""Writing HTML and SVG so that nothing from outside can break out: every text and attribute is escaped."""

import re
from html import escape
from typing import Final

_VOID: Final = frozenset({"meta", "link", "br", "hr", "line", "rect", "circle", "path"})

_UNSPEAKABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot hold (2.2 Char), or UTF-8 cannot."""


class Markup(str):
    """Text that is markup already; only `h`, `join` and `trusted` make it."""

    __slots__ = ()


def trusted(text: str) -> Markup:
    """Take our own constant text as markup; never what came from outside."""
    return Markup(text)


def h(name: str, /, *children: "Markup | str | None", **attributes: object) -> Markup:
    """Write one element.

    Args:
        name: Its name.
        children: What is in it; a plain text is escaped, None is left out.
        attributes: Its attributes: ``class_`` is ``class``, ``a_b`` is ``a-b``; True is a bare one, None and False
            leave it out.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    inner = join(*children)
    if name in _VOID and not inner:
        return Markup(f"<{name}{shown}/>")
    return Markup(f"<{name}{shown}>{inner}</{name}>")


def join(*children: "Markup | str | None") -> Markup:
    """Write several things one after the other."""
    return Markup("".join(_child(child) for child in children if child is not None))


def prose(text: str) -> Markup:
    """Write a sentence in which what stands between backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return join(text)  # one of them has no partner: take it as it is
    return join(*(h("code", part) if index % 2 else part for index, part in enumerate(parts)))


def _child(child: "Markup | str") -> str:
    return str(child) if isinstance(child, Markup) else _escaped(child)


def _escaped(text: str) -> str:
    return escape(_UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(f"{value}")}"'
