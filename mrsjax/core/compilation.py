"""How our large programs are compiled."""

from functools import partial

import equinox as eqx
import jax

#: On a CPU the emitters of fused loops in jax 0.10 take twice as long to compile as the older ones, for programs that run equally fast (docs/model.md); in
#: jax 0.12 there is no choice any more.
OPTIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version_info__[:2] == (0, 10) else None

#: `equinox.filter_jit` with these options.
jit = partial(eqx.filter_jit, compiler_options=OPTIONS)
