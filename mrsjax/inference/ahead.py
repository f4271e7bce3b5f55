"""The fit's programs, compiled at the same time before the first is needed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core.compilation import together
from mrsjax.inference import batch
from mrsjax.inference.stages import between
from mrsjax.inference.summary import summary
from mrsjax.inference.varpro import Problem, Tree, single
from mrsjax.physics.model import SignalModel

_KNOWN = set()


def compile_ahead(short: SignalModel, part: SignalModel, whole: SignalModel, problems: Problem) -> None:
    """Compiles both stages of the iteration on `short`, `between` on `part` and `summary` on `whole`, unless that was done before.

    `problems`: the first stage's, of which the shapes count.
    """
    known = jax.tree.structure((short, whole)), problems.data.dtype
    if known in _KNOWN:
        return
    _KNOWN.add(known)
    size, m, dtype = batch.slots(), len(part.names), problems.weight.dtype
    begin = lambda model: batch.begin(single(Tree(model)), np.zeros((size, Tree(model).start.size), np.float32), m)  # noqa: E731
    first, second = begin(short.coarse()), begin(short)

    def blank(points, state, dtype):
        shapes = (size, points), (size,), (size, m, m), state.next.shape
        kinds = jnp.result_type(dtype, complex), dtype, dtype, dtype
        parts: Any = map(np.zeros, shapes, kinds)
        return Problem(*parts)

    few, all_points = problems.data.shape[1], whole.window[1] - whole.window[0]
    stop = np.zeros((), np.float32), jnp.int32(0)
    together(
        (batch.advance, (single(short), blank(few, second, np.float32), second, *stop)),
        (batch.advance, (single(short.coarse()), blank(few, first, np.float32), first, *stop)),
        (summary, (whole, blank(all_points, second, dtype), second.at)),
        (between, (part.coarse(), part, blank(few, first, dtype), first.at)),
    )
