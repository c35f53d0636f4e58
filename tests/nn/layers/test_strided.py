"""The strided layers: their weights' dtypes and variance."""

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax.nn.layers.strided import Double, Halve


def test_modules_keep_float32_weights_and_compute_in_their_dtype():
    for module in (Halve(5, bias=True, dtype=jnp.bfloat16), Double(5, bias=False, dtype=jnp.bfloat16)):
        out, variables = module.init_with_output(jax.random.key(0), jnp.ones((2, 6, 4, 3)))
        assert out.dtype == jnp.bfloat16
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        assert ("bias" in variables["params"]) is module.bias


def test_initial_weights_keep_the_variance():
    for module, size in ((Halve(64, bias=True), 32), (Double(64, bias=True), 16)):
        x = jax.random.normal(jax.random.key(0), (4, size, size, 64))
        out, _ = module.init_with_output(jax.random.key(1), x)
        inner = out[:, 2:-2, 2:-2].var()
        wanted = 1.0 if isinstance(module, Halve) else 0.25  # each output of a doubling meets 4 of the 16 taps
        np.testing.assert_allclose(inner, wanted, rtol=0.15)
