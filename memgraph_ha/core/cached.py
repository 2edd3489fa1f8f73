"""A cached property that takes no lock."""

from functools import cached_property
from typing import Self, TypeVar, overload

_Value = TypeVar("_Value")


class cached(cached_property[_Value]):  # noqa: N801 - a decorator, as the one that it extends
    """As `functools.cached_property`, without the lock that Python 3.11 takes at each first use.

    Every decision is made from a view of its own, so that each of its questions is a first use; and no view is shared
    by threads. (Python 3.12 took the lock out.)
    """

    def __set_name__(self, owner: type[object], name: str) -> None:
        """Learn under which name the value is kept."""
        super().__set_name__(owner, name)
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[object] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[object] | None = None) -> _Value: ...

    def __get__(self, instance: object | None, owner: type[object] | None = None) -> Self | _Value:
        """Answer from now on without being asked: the value is in the instance's own `__dict__`, which comes first."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self.func(instance)
        return value
