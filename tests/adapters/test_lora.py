"""Low-rank adaptation against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.adapters.lora import lora
from aigc_jax.errors import ConfigError

SHAPES = {"first": (6, 8), "attention": (8, 3, 2, 4), "norm": None}
KEY = jax.random.key(0)


def base():
    """Weights of a matrix, of one whose outputs have axes of their own, and of a norm."""
    kernels = {name: {"kernel": jax.random.normal(KEY, s), "bias": jnp.ones(s[1:])} for name, s in SHAPES.items() if s}
    return {**kernels, "norm": {"scale": jnp.ones(8)}}


def trained(adapter):
    """Factors as training leaves them, none of them zero."""
    return jax.tree.map(lambda x: x + jax.random.normal(jax.random.key(1), x.shape), adapter.init(KEY))


def test_the_first_weights_are_those_of_the_base_to_the_bit():
    adapter = lora(base(), rank=2, alpha=8.0, on="")
    params = adapter.init(KEY)
    assert {"first", "attention"} == params.keys()
    jax.tree.map(np.testing.assert_array_equal, adapter.merge(params, base()), base())
    assert not any(np.any(params[name]["kernel"]["b"]) for name in params)
    assert all(np.all(params[name]["kernel"]["a"]) for name in params)


@pytest.mark.parametrize("rank", [1, 3])
def test_merged_weights_are_equation_3(rank):
    adapter = lora(base(), rank=rank, alpha=8.0, on="")
    params = trained(adapter)
    merged = adapter.merge(params, base())
    for name in params:
        before, after = (np.asarray(x[name]["kernel"], np.float64) for x in (base(), merged))
        a, b = (np.asarray(params[name]["kernel"][part], np.float64) for part in "ab")
        change = (after - before).reshape(len(a), -1)
        np.testing.assert_allclose(change, 8 / rank * a @ b.reshape(rank, -1), rtol=1e-4, atol=1e-5)
        assert np.linalg.matrix_rank(change, tol=1e-3) == rank
        np.testing.assert_array_equal(merged[name]["bias"], base()[name]["bias"])


def test_only_kernels_that_the_pattern_finds_are_adapted():
    adapter = lora(base(), rank=2, alpha=8.0, on="^att")
    merged = adapter.merge(trained(adapter), base())
    np.testing.assert_array_equal(merged["first"]["kernel"], base()["first"]["kernel"])
    assert not np.array_equal(merged["attention"]["kernel"], base()["attention"]["kernel"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"on": "mlp"}, r'the pattern "mlp" is in no path of a kernel: first/kernel, attention/kernel\.'),
        ({"rank": 6}, r"a rank of 6 is not low for first/kernel, \[6, 8\]: it has to be below 6\."),
    ],
)
def test_what_cannot_be_adapted_is_named(change, said):
    with pytest.raises(ConfigError, match=said):
        lora(base(), **{"rank": 2, "alpha": 8.0, "on": "", **change})
