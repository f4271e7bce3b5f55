"""How our large programs are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import equinox as eqx
import jax

#: On a CPU the emitters of fused loops in jax 0.10 take twice as long to compile as the older ones, for programs that run equally fast (docs/model.md); in
#: jax 0.12 there is no choice any more.
OPTIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version_info__[:2] == (0, 10) else None


F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """`equinox.filter_jit` with these options."""
    return cast(Any, eqx.filter_jit)(function, compiler_options=OPTIONS)
