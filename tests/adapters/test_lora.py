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


def test_a_rank_below_full_reaches_any_change_of_that_rank_and_no_other():
    """The best product is the truncated SVD (Eckart and Young 1936): one rank below full leaves the last value."""
    target = np.asarray(jax.random.normal(jax.random.key(2), (6, 8)), np.float64)
    left, values, right = np.linalg.svd(target, full_matrices=False)
    adapter = lora(base(), rank=5, alpha=5.0, on="first")
    factors = {"a": left[:, :5] * values[:5], "b": right[:5]}
    merged = adapter.merge({"first": {"kernel": jax.tree.map(jnp.float32, factors)}}, base())
    missing = target - (np.asarray(merged["first"]["kernel"], np.float64) - np.asarray(base()["first"]["kernel"]))
    np.testing.assert_allclose(np.linalg.norm(missing), values[5], rtol=1e-4)


def test_merged_outputs_are_those_of_a_second_path_beside_the_base():
    """y = x W0 + alpha / rank · (x A) B."""
    adapter = lora(base(), rank=2, alpha=8.0, on="first")
    params = trained(adapter)
    x = jax.random.normal(jax.random.key(3), (5, 6))
    factors, kernel = params["first"]["kernel"], base()["first"]["kernel"]
    beside = x @ kernel + 4.0 * (x @ factors["a"]) @ factors["b"]
    np.testing.assert_allclose(x @ adapter.merge(params, base())["first"]["kernel"], beside, rtol=1e-4, atol=1e-4)


def test_of_8_bits_matrices_are_small_and_the_rest_is_as_it_was():
    weights = {**base(), "embedding": {"embedding": jax.random.normal(KEY, (9, 4))}}
    adapter = lora(weights, rank=2, alpha=8.0, on="first", bits=8)
    kept = adapter.kept(weights)
    assert {x.dtype.name for x in jax.tree.leaves(kept)} == {"int8", "float32"}
    assert kept["first"]["kernel"].scale.shape == (1, 8), "a scale for each output"
    assert kept["attention"]["kernel"].scale.shape == (1, 3, 2, 4)
    assert kept["embedding"]["embedding"].scale.shape == (9, 1), "a scale for each token"
    np.testing.assert_array_equal(kept["norm"]["scale"], weights["norm"]["scale"])
    params = trained(adapter)
    merged, wanted = adapter.merge(params, kept), lora(weights, rank=2, alpha=8.0, on="first").merge(params, weights)
    for name in ("first", "attention"):
        error = np.abs(merged[name]["kernel"] - wanted[name]["kernel"])
        assert np.all(error <= 0.51 * np.asarray(kept[name]["kernel"].scale)) and np.any(error), name
    assert lora(weights, rank=2, alpha=8.0, on="first").kept(weights) is weights


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
