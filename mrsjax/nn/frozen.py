"""Which leaves of a network are trained: everything but what is wrapped in `Frozen`."""

from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
from jax import lax

T = TypeVar("T")


class Frozen(eqx.Module, Generic[T]):
    """Constants inside something that is trained: a basis set, a scale. `value` has no derivative."""

    inner: T

    @property
    def value(self) -> T:
        """The constants."""
        return jax.tree.map(lambda x: lax.stop_gradient(x) if eqx.is_inexact_array(x) else x, self.inner)


def _is_frozen(x: Any) -> bool:
    return isinstance(x, Frozen)


def partition(tree: Any) -> tuple[Any, Any]:
    """(trainable, rest) of a tree: inexact arrays outside `Frozen`, and everything else; `eqx.combine` joins them.

    `eqx.is_inexact_array` alone would train the basis set too.
    """
    return eqx.partition(tree, lambda x: not _is_frozen(x) and eqx.is_inexact_array(x), is_leaf=_is_frozen)
