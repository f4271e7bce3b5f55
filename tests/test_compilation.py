"""Programs that are traced once and kept beside the compilation cache."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import compilation
from mrsjax.inference.varpro import Linear


@pytest.fixture
def folder(tmp_path):
    config: Any = jax.config
    before = config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path / "mrsjax"
    jax.config.update("jax_compilation_cache_dir", before)


class Box(eqx.Module):
    x: jax.Array
    power: int = eqx.field(static=True)


TRACES = []
ARGS = Box(jnp.arange(3.0), 2), np.float64(3.0)


def work(box, scale):
    TRACES.append(box.power)
    y = scale * box.x**box.power
    return {"both": (y, y.sum())}, Linear(y.sum(), y, y > 1, y[:, None] * y)


def fresh():
    """As in a new process: nothing compiled, nothing traced."""
    TRACES.clear()
    return compilation.jit(work)


def check(result, power=2):
    tree, linear = result
    y = 3.0 * np.arange(3.0) ** power
    np.testing.assert_allclose(tree["both"][0], y)
    np.testing.assert_allclose(linear.gram, y[:, None] * y)
    assert isinstance(linear, Linear) and linear.passive.dtype == bool


def test_a_second_process_does_not_trace(folder):
    check(fresh()(*ARGS))
    assert TRACES == [2] and len(list(folder.glob("work-*"))) == 1
    check(fresh()(*ARGS))
    assert TRACES == []
    check(fresh()(Box(jnp.arange(3.0), 3), ARGS[1]), 3)  # another constant is another program
    assert TRACES == [3]


def test_without_a_cache_nothing_is_kept(folder):
    jax.config.update("jax_compilation_cache_dir", None)
    check(fresh()(*ARGS))
    assert TRACES == [2] and not folder.exists()


@pytest.mark.parametrize("damage", ["empty", "zeros", "half", "foreign class"])
def test_a_damaged_file_is_traced_again(folder, damage):
    check(fresh()(*ARGS))
    (file,) = folder.glob("work-*")
    content = file.read_bytes()
    foreign = content.replace(b"mrsjax.inference.varpro:Linear", b"collections:OrderedDict" + b" " * 7)
    assert foreign != content
    changed = {"empty": b"", "zeros": bytes(40), "half": content[: len(content) // 2], "foreign class": foreign}
    file.write_bytes(changed[damage])
    check(fresh()(*ARGS))
    assert TRACES == [2]
    check(fresh()(*ARGS))
    assert TRACES == []


def test_a_single_array_is_kept(folder):
    double = lambda x: 2 * x  # noqa: E731
    for _ in range(2):
        np.testing.assert_allclose(compilation.jit(double)(jnp.arange(3.0)), [0.0, 2.0, 4.0])
    assert len(list(folder.glob("*.stablehlo"))) == 1


@pytest.mark.parametrize("wrap", [lambda y: [y, y], lambda y: (y, None), lambda y: Box(y, 2)])
def test_results_that_cannot_be_described_are_not_kept(folder, wrap):
    """Lists, None and modules of others: the program works, and the next process traces it again."""

    def other(x):
        return wrap(x + 1)

    for _ in range(2):
        result = compilation.jit(other)(jnp.arange(3.0))
        assert jax.tree.structure(result) == jax.tree.structure(wrap(jnp.arange(3.0)))
        np.testing.assert_allclose(jax.tree.leaves(result)[0], [1.0, 2.0, 3.0])
    assert not list(folder.glob("*"))


def test_only_classes_of_the_package_are_built():
    with pytest.raises(ValueError, match="os:path is not of mrsjax"):
        compilation._class("os:path")


def test_other_code_is_another_program(folder, monkeypatch):
    check(fresh()(*ARGS))
    monkeypatch.setattr(compilation, "_sources", lambda: "newer")
    check(fresh()(*ARGS))
    assert TRACES == [2]


def test_programs_compile_together():
    two = fresh()
    three = compilation.jit(work)
    compilation.together((two, ARGS), (three, (Box(jnp.arange(3.0), 3), ARGS[1])))
    assert sorted(TRACES) == [2, 3]
    check(two(*ARGS))
    assert len(TRACES) == 2


def test_bound_arguments_are_those_of_a_call(folder):
    """The same program, with no second trace, and with the arguments bound or given."""
    whole = fresh()
    check(whole(*ARGS))
    check(compilation.bound(whole, ARGS[0])(ARGS[1]))
    check(compilation.bound(whole, *ARGS)())
    assert TRACES == [2]
    check(compilation.bound(whole, Box(jnp.arange(3.0), 3))(ARGS[1]), 3)
    assert TRACES == [2, 3]


def test_constants_of_another_type_are_another_program():
    power = compilation.jit(lambda x, n: x**n)
    assert power(jnp.arange(3), 1).dtype != power(jnp.arange(3), 1.0).dtype
