import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mrsjax.core import Sampling
from mrsjax.processing.programs import in_batches, in_turn, program, with_same


def turned(x, sampling, table=None, *, by=0.0):
    offset = 0.0 if table is None else np.sum(table)
    return x * jnp.exp(2j * jnp.pi * by * sampling.time) + offset


def scaled(x, by):
    return x * by


def sampling(dwell=5e-4, points=8):
    return Sampling(dwell, 123e6, points)


def test_equal_content_is_one_program_and_other_content_another():
    table = np.arange(3.0)
    same = [program(turned, sampling(), table.copy(), over=jax.vmap, by=2.0) for _ in range(2)]
    assert same[0] is same[1]
    others = [
        program(turned, sampling(6e-4), table, over=jax.vmap, by=2.0),
        program(turned, sampling(points=9), table, over=jax.vmap, by=2.0),
        program(turned, sampling(), table + 1, over=jax.vmap, by=2.0),
        program(turned, sampling(), table, over=jax.vmap, by=3.0),
        program(turned, sampling(), table, over=in_turn, by=2.0),
        program(scaled, sampling(), table, over=jax.vmap, by=2.0),
    ]
    assert len({id(x) for x in [*same, *others]}) == 7


def test_partials_are_known_by_what_they_hold():
    one, two, three = (Partial(turned, sampling=sampling(), by=by) for by in (1.0, 1.0, 2.0))
    assert program(one) is program(two)
    assert program(one) is not program(three)
    x = jnp.ones(8, complex)
    np.testing.assert_allclose(program(three)(x), turned(x, sampling(), by=2.0))


def test_the_ways_of_mapping_agree():
    x, y = jnp.arange(6.0).reshape(3, 2), jnp.array([2.0, 3.0])
    wanted = np.asarray(x) * 2
    for over in (jax.vmap, in_turn, in_batches):
        np.testing.assert_allclose(program(scaled, 2.0, over=over)(x), wanted)
    np.testing.assert_allclose(program(scaled, over=with_same)(x, y), np.asarray(x) * np.asarray(y))
