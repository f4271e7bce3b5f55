import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from mrsjax.nn import FlaxNet, Frozen, partition


def test_dtypes_are_cast_on_purpose_at_both_boundaries():
    net = FlaxNet(nnx.Linear(4, 2, rngs=nnx.Rngs(0)))
    assert {x.dtype for x in jax.tree.leaves(net)} == {jnp.dtype("float32")}
    assert net(jnp.ones(4, jnp.float64)).dtype == jnp.float64
    assert net(jnp.ones(4, jnp.float32)).dtype == jnp.float32


def test_parameters_are_leaves_and_a_step_of_optax_trains_them():
    net = FlaxNet(nnx.Linear(3, 1, rngs=nnx.Rngs(0)))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(64, 3)))
    y = x @ jnp.array([1.0, -2.0, 3.0])
    optimiser = optax.adam(0.1)
    trainable, rest = partition(net)

    @eqx.filter_jit
    def step(trainable, state):
        loss = lambda t: jnp.mean((jax.vmap(eqx.combine(t, rest))(x)[:, 0] - y) ** 2)  # noqa: E731
        value, gradient = jax.value_and_grad(loss)(trainable)
        update, state = optimiser.update(gradient, state, trainable)
        return optax.apply_updates(trainable, update), state, value

    state = optimiser.init(trainable)
    values = []
    for _ in range(200):
        trainable, state, value = step(trainable, state)
        values.append(float(value))
    assert values[-1] < 1e-3 * values[0]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda r: nnx.BatchNorm(3, rngs=r), "BatchStat"),
        (lambda r: nnx.Dropout(0.1, rngs=r), "RngCount"),
        (lambda r: nnx.Sequential(nnx.Linear(3, 3, rngs=r), nnx.BatchNorm(3, rngs=r)), "BatchStat"),
    ],
)
def test_modules_with_state_are_refused(make, named):
    with pytest.raises(ValueError, match=named):
        FlaxNet(make(nnx.Rngs(0)))


def test_frozen_constants_are_not_trained():
    tree = {"basis": Frozen(jnp.ones(3)), "weight": jnp.ones(2), "name": "x"}
    trainable, rest = partition(tree)
    assert [x.shape for x in jax.tree.leaves(trainable)] == [(2,)]
    whole = eqx.combine(trainable, rest)
    gradient = eqx.filter_grad(lambda t: jnp.sum(t["basis"].value) * jnp.sum(t["weight"]))(whole)
    np.testing.assert_array_equal(gradient["basis"].inner, 0.0)  # even when asked for
    np.testing.assert_array_equal(gradient["weight"], 3.0)
