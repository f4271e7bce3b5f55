"""The fit's programs, compiled at the same time before the first is needed."""

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core.compilation import together
from mrsjax.inference import batch
from mrsjax.inference.noise import NoiseBlocks
from mrsjax.inference.stages import correlated, prepare
from mrsjax.inference.summary import summary
from mrsjax.inference.varpro import Problem, Tree, single
from mrsjax.physics.model import SignalModel

_KNOWN = set()


def compile_ahead(
    model: SignalModel,
    half: SignalModel,
    part: SignalModel,
    short: SignalModel,
    reported: SignalModel,
    blocks: NoiseBlocks,
    *,
    started: bool,
) -> None:
    """Compiles what a fit of `model` needs, unless that was done before: `correlated` (not when the fit is `started` elsewhere) and `prepare`, both stages of
    the iteration on `short`, which fits `part` (the model or its first half), and `summary` on `reported`."""
    dtype = jnp.result_type(float)
    leaves, structure = jax.tree.flatten((model, short, reported))
    known = structure, tuple(np.shape(x) for x in leaves), dtype, started
    if known in _KNOWN and cast(Any, summary).ready:
        return
    _KNOWN.add(known)
    size, m, n, coarse = batch.slots(), len(model.names), model.sampling.n_points, model.coarse()
    ones = np.ones((size, m), bool)
    begin = lambda model: batch.begin(single(Tree(model)), np.zeros((size, Tree(model).start.size), np.float32), ones)  # noqa: E731
    first, second = begin(short.coarse()), begin(short)

    def blank(model, state, dtype):
        shapes = (size, model.window[1] - model.window[0]), (size,), (size, m, m), state.next.shape
        kinds = jnp.result_type(dtype, complex), dtype, dtype, dtype
        parts: Any = map(np.zeros, shapes, kinds)
        return Problem(*parts)

    fids, rows = (
        np.zeros((size, n), jnp.result_type(complex)),
        (np.zeros(first.next.shape, dtype), np.zeros(size, dtype)),
    )
    stop = np.zeros((), np.float32), jnp.int32(0)
    start = [(correlated, single((coarse, np.zeros(n), fids)))]
    together(
        (batch.advance, (single(short), blank(part, second, np.float32), second, *stop)),
        (summary, (reported, blank(model, second, dtype), second.at)),
        (batch.advance, (single(short.coarse()), blank(part, first, np.float32), first, *stop)),
        (prepare, (coarse, half, blocks, fids, *rows)),
        *([] if started else start),
    )
