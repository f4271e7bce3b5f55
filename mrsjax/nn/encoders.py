"""Encoders: Flax modules from the features of one spectrum to a vector, by name.

All are stateless: LayerNorm, and dropout with its key at the call (no key: no dropout). Convolutions stride, since their gradients are slow on CPUs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from mrsjax.nn.ranges import counts, number, whole


def dropout(x: Float[Array, "..."], rate: float, key: Key[Array, ""] | None, *, whole: int = 0) -> Float[Array, "..."]:
    """Inverted dropout; without a key, or at rate 0, the identity. `whole`: leading axes that are dropped as one (spatial dropout)."""
    if key is None or rate == 0:
        return x
    kept = jax.random.bernoulli(key, 1 - rate, (1,) * whole + x.shape[whole:])
    return jnp.where(kept, x / (1 - rate), 0.0)


def _keys(key, count):
    return [None] * count if key is None else list(jax.random.split(key, count))


def _one_dimensional(name, shape):
    if len(shape) != 2:
        raise ValueError(
            f"{name}: wanted features (points, channels), found shape {shape}; use cnn2d for a spectrogram"
        )


class MLP(nnx.Module):
    """Dense layers on the flattened features: LayerNorm, GELU, dropout after each."""

    def __init__(
        self, shape: tuple[int, ...], out: int, *, rngs: nnx.Rngs, widths: Sequence[int] = (256, 128), rate: float = 0.0
    ):
        sizes = [math.prod(shape), *widths]
        self.dense = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])
        self.norms = nnx.List([nnx.LayerNorm(b, rngs=rngs) for b in widths])
        self.last = nnx.Linear(sizes[-1], out, rngs=rngs)
        self.rate = rate

    def __call__(self, x, *, key=None):
        x = x.reshape(-1)
        for dense, norm, k in zip(self.dense, self.norms, _keys(key, len(self.dense)), strict=True):
            x = dropout(nnx.gelu(norm(dense(x))), self.rate, k)
        return self.last(x)


class CNN(nnx.Module):
    """Strided 1-D convolutions (kernel `kernel`, stride `stride`), GELU, then `MLP`; dropout after each."""

    def __init__(
        self,
        shape: tuple[int, ...],
        out: int,
        *,
        rngs: nnx.Rngs,
        channels: Sequence[int] = (16, 32, 32),
        kernel: int = 7,
        stride: int = 3,
        widths: Sequence[int] = (128,),
        rate: float = 0.0,
    ):
        _one_dimensional("cnn", shape)
        sizes = [shape[1], *channels]
        self.layers = nnx.List([nnx.Conv(a, b, (kernel,), (stride,), rngs=rngs) for a, b in itertools.pairwise(sizes)])
        points = shape[0]
        for _ in channels:
            points = -(-points // stride)
        self.dense = MLP((points, channels[-1]), out, rngs=rngs, widths=widths, rate=rate)
        self.rate = rate

    def __call__(self, x, *, key=None):
        *keys, last = _keys(key, len(self.layers) + 1)
        for layer, k in zip(self.layers, keys, strict=True):
            x = dropout(nnx.gelu(layer(x)), self.rate, k, whole=1)
        return self.dense(x, key=last)


class CNN2D(nnx.Module):
    """Strided 2-D convolutions on a spectrogram (frequency, time, channels), ELU, spatial dropout, then `MLP` (Rizzo 2023, shallow)."""

    def __init__(
        self,
        shape: tuple[int, ...],
        out: int,
        *,
        rngs: nnx.Rngs,
        channels: Sequence[int] = (16, 24, 32),
        kernels: Sequence[int] = (7, 5, 3),
        widths: Sequence[int] = (128,),
        rate: float = 0.0,
    ):
        if len(shape) != 3:
            raise ValueError(f"cnn2d: wanted features (frequencies, times, channels), found shape {shape}")
        if len(channels) != len(kernels):
            raise ValueError(f"cnn2d: wanted a kernel for each of {len(channels)} channels, found {len(kernels)}")
        sizes = [shape[2], *channels]
        self.layers = nnx.List(
            [nnx.Conv(a, b, (k, k), (2, 2), rngs=rngs) for a, b, k in zip(sizes[:-1], channels, kernels, strict=True)]
        )
        height, width = shape[:2]
        for _ in channels:
            height, width = -(-height // 2), -(-width // 2)
        self.dense = MLP((height, width, channels[-1]), out, rngs=rngs, widths=widths, rate=rate)
        self.rate = rate

    def __call__(self, x, *, key=None):
        *keys, last = _keys(key, len(self.layers) + 1)
        for layer, k in zip(self.layers, keys, strict=True):
            x = dropout(nnx.elu(layer(x)), self.rate, k, whole=2)
        return self.dense(x, key=last)


class ResNet(nnx.Module):
    """A strided stem, then residual blocks x + W2 gelu(conv(norm(x))) at constant width, halving the points between stages."""

    def __init__(
        self,
        shape: tuple[int, ...],
        out: int,
        *,
        rngs: nnx.Rngs,
        width: int = 32,
        blocks: int = 3,
        kernel: int = 5,
        widths: Sequence[int] = (128,),
        rate: float = 0.0,
    ):
        _one_dimensional("resnet", shape)
        self.stem = nnx.Conv(shape[-1], width, (9,), (4,), rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(blocks)])
        self.wide = nnx.List([nnx.Conv(width, width, (kernel,), rngs=rngs) for _ in range(blocks)])
        self.mix = nnx.List([nnx.Linear(width, width, rngs=rngs) for _ in range(blocks)])
        self.down = nnx.List([nnx.Conv(width, width, (2,), (2,), rngs=rngs) for _ in range(blocks)])
        points = -(-shape[0] // 4)
        for _ in range(blocks):
            points = -(-points // 2)
        self.dense = MLP((points, width), out, rngs=rngs, widths=widths, rate=rate)
        self.rate = rate

    def __call__(self, x, *, key=None):
        *keys, last = _keys(key, len(self.norms) + 1)
        x = self.stem(x)
        for norm, wide, mix, down, k in zip(self.norms, self.wide, self.mix, self.down, keys, strict=True):
            x = down(x + dropout(mix(nnx.gelu(wide(norm(x)))), self.rate, k, whole=1))
        return self.dense(x, key=last)


class Transformer(nnx.Module):
    """Patches of `patch` points (zeros after the last) as tokens with learned positions, pre-norm self-attention blocks, mean over tokens."""

    def __init__(
        self,
        shape: tuple[int, ...],
        out: int,
        *,
        rngs: nnx.Rngs,
        patch: int = 16,
        width: int = 64,
        heads: int = 4,
        blocks: int = 2,
        rate: float = 0.0,
    ):
        _one_dimensional("transformer", shape)
        if width % heads:
            raise ValueError(f"network.encoder.width: wanted a multiple of the {heads} heads, found {width}")
        tokens = -(-shape[0] // patch)
        self.embed = nnx.Linear(patch * shape[1], width, rngs=rngs)
        self.position = nnx.Param(0.02 * jax.random.normal(rngs.params(), (tokens, width)))
        make = lambda a, b: nnx.List([nnx.Linear(a, b, rngs=rngs) for _ in range(blocks)])  # noqa: E731
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2 * blocks)])
        self.qkv, self.merge = make(width, 3 * width), make(width, width)
        self.up, self.down = make(width, 2 * width), make(2 * width, width)
        self.last = nnx.Linear(width, out, rngs=rngs)
        self.tokens, self.patch, self.heads, self.rate = tokens, patch, heads, rate

    def __call__(self, x, *, key=None):
        x = jnp.pad(x, ((0, self.tokens * self.patch - x.shape[0]), (0, 0)))
        x = self.embed(x.reshape(self.tokens, -1)) + self.position[...]
        keys = _keys(key, 2 * len(self.qkv))
        for i, (qkv, merge, up, down) in enumerate(zip(self.qkv, self.merge, self.up, self.down, strict=True)):
            q, k, v = jnp.split(qkv(self.norms[2 * i](x)).reshape(self.tokens, self.heads, -1), 3, axis=-1)
            seen = nnx.dot_product_attention(q, k, v).reshape(self.tokens, -1)
            x = x + dropout(merge(seen), self.rate, keys[2 * i])
            x = x + dropout(down(nnx.gelu(up(self.norms[2 * i + 1](x)))), self.rate, keys[2 * i + 1])
        return self.last(x.mean(axis=0))


#: Name in a configuration or model card -> class; `register` adds to it.
ENCODERS: dict[str, Callable[..., nnx.Module]] = {
    "mlp": MLP, "cnn": CNN, "cnn2d": CNN2D, "resnet": ResNet, "transformer": Transformer,
}  # fmt: skip


_count = partial(whole, least=1)
#: Options of these encoders -> what reads them. No width at all is one dense layer.
READ: dict[str, Callable[[str, Any], Any]] = {
    "rate": partial(number, below=1.0), "widths": partial(counts, empty=True), "channels": counts, "kernels": counts,
    **dict.fromkeys(("kernel", "stride", "width", "blocks", "patch", "heads"), _count),
}  # fmt: skip


def register(name: str, make: Callable[..., nnx.Module]) -> None:
    """Makes an encoder of your own known by a name: `make(shape, out, *, rngs, **options)`; it must be registered before its model is loaded.

    **Raises:** `ValueError` when the name is taken.
    """
    if name in ENCODERS:
        raise ValueError(f"name: {name!r} is taken; known encoders are {', '.join(ENCODERS)}")
    ENCODERS[name] = make


def encoder(name: str, shape: tuple[int, ...], out: int, *, seed: int, **options) -> nnx.Module:
    """A new encoder of the registry.

    **Raises:** `ValueError` for an unknown name or option, or an impossible number in one.
    """
    if not isinstance(name, str) or name not in ENCODERS:
        raise ValueError(f"encoder: wanted one of {', '.join(ENCODERS)}, found {name!r}")
    if ENCODERS[name] in (MLP, CNN, CNN2D, ResNet, Transformer):
        options |= {k: READ[k](f"network.encoder.{k}", v) for k, v in options.items() if k in READ}
    try:
        return ENCODERS[name](shape, out, rngs=nnx.Rngs(seed), **options)
    except TypeError as error:
        raise ValueError(f"encoder {name}: {error}") from None
