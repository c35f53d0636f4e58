"""Networks that see a given image: where it enters, what is left of them without it, and what is refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn.dit import DiT
from aigc_jax.nn.layers.given_image import beside
from aigc_jax.nn.unet import UNet

SIZE, ROWS = (8, 8, 3), 3
UNET = dict(channels=4, multipliers=(1, 2), blocks=1, attention=(), dropout=0.0, groups=2)
DIT = dict(shape=SIZE, patch=2, width=8, layers=1, heads=2, positions="sines")


def network(kind, **changes):
    settings = {**({UNet: {**UNET, "patch": 2}, DiT: DIT}[kind]), "label_classes": 0, **changes}
    return kind(**settings)


def drawn(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def filled(net, *inputs):
    """Variables whose every parameter is drawn at random, so that nothing is zero."""
    shapes = jax.eval_shape(lambda: net.init(jax.random.key(0), *inputs, train=False))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.float32(0.3 * rng.normal(size=leaf.shape)), shapes)


def without_image(kernel, channels, patch):
    """The first layer's rows that read x. kernel: [..., patch² (C + c), width]."""
    parts = kernel.reshape(*kernel.shape[:-2], patch**2, -1, kernel.shape[-1])
    return parts[..., :channels, :].reshape(*kernel.shape[:-2], patch**2 * channels, kernel.shape[-1])


@pytest.mark.parametrize("kind", [UNet, DiT])
def test_an_image_adds_a_linear_part_to_the_first_layer_and_nothing_else(kind):
    """Where it is zero, or not kept, the network is the plain one with the rest of its weights."""
    net, plain = network(kind, image="small"), network(kind)
    x, t, small = drawn(ROWS, *SIZE), jnp.arange(ROWS), drawn(ROWS, 4, 4, 1, seed=2)
    assert net.reads == ("small",) and plain.reads == ()
    variables = filled(net, x, t, {"small": small})
    params = dict(variables["params"])
    own = without_image(params["in"]["kernel"], SIZE[-1], 2)
    assert own.shape[-2] == 4 * 3 and params["in"]["kernel"].shape[-2] == 4 * 4
    params["in"] = {**params["in"], "kernel": own}
    expected = jax.jit(lambda params: plain.apply({"params": params}, x, t, train=False))(params)
    assert jnp.std(expected) > 0.01

    @jax.jit
    def found(given, kept=None):
        return net.apply(variables, x, t, {"small": given}, kept, train=False)

    seen = found(small)
    np.testing.assert_allclose(found(0 * small), expected, atol=1e-5)
    kept = jnp.array([True, False, True])
    np.testing.assert_allclose(found(small, kept)[1], expected[1], atol=1e-5)
    np.testing.assert_allclose(found(small, kept)[::2], seen[::2], atol=1e-5)
    assert np.abs(seen - expected)[::2].max() > 0.01


def test_labels_are_read_beside_it():
    net = network(UNet, image="small", label_classes=5)
    given = {"label": jnp.array([0, 1, 2]), "small": drawn(ROWS, 4, 4, 3)}
    x, t = drawn(ROWS, *SIZE), jnp.arange(ROWS)
    assert net.reads == ("label", "small")
    variables = filled(net, x, t, given)
    apply = jax.jit(lambda label: net.apply(variables, x, t, {**given, "label": label}, train=False))
    one, other = (apply(given["label"] + i) for i in (0, 1))
    assert np.abs(one - other).max() > 1e-3


def test_it_stands_beside_x_as_it_is():
    x, image = drawn(2, *SIZE), drawn(2, 8, 8, 1, seed=3)
    found = beside(x, "image", {"image": image}, None)
    np.testing.assert_array_equal(found, np.concatenate([x, image], -1))
    assert beside(x, "", {"image": image}, None) is x


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "given is nothing"),
        ({"label": jnp.zeros(2)}, "given is label"),
        ({"image": jnp.zeros(2)}, r"\[\].*\[8, 8, 3\]"),
        ({"image": jnp.zeros((2, 3, 3, 3))}, r"\[3, 3, 3\].*\[8, 8, 3\]"),
        ({"image": jnp.zeros((2, 16, 16, 3))}, r"\[16, 16, 3\]"),
    ],
)
def test_what_does_not_fit_is_refused(given, why):
    with pytest.raises(Unfit) as caught:
        beside(jnp.zeros((2, *SIZE)), "image", given, None)
    assert caught.value.field == "image"
    assert re.search(why, caught.value.why)
