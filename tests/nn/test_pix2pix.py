"""The U-Net and the PatchGAN: shapes, sizes of the paper, receptive fields, and what each part is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.errors import Unfit
from aigc_jax.nn import pix2pix
from aigc_jax.nn.pix2pix import Discriminator, Generator

KEY = jax.random.key(0)
IMAGE = jax.random.normal(KEY, (2, 8, 8, 3))


def generator(**changes):
    return Generator(**{"shape": (8, 8, 1), "channels": 2, "levels": 3, "skips": True, "dropout": 0.5, **changes})


def count(initialise, *inputs):
    variables = jax.eval_shape(initialise, *inputs)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_the_sizes_of_the_paper():
    """256 × 256: 54.4 million weights, and 2.77 million of a discriminator of pairs, by layers of 4 × 4 kernels."""
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    widths = [64, 128, 256, 512, 512, 512, 512, 512]
    down = sum(16 * a * b for a, b in zip([3, *widths], widths, strict=False))
    up = sum(
        16 * a * (1 if a == 512 and i == 7 else 2) * b
        for i, (b, a) in enumerate(zip([3, *widths], widths, strict=False))
    )
    norms = 2 * (sum(widths[1:-1]) + sum(widths[:-1]))
    net = Generator(shape=(256, 256, 3), channels=64, levels=8, skips=True, dropout=0.5)
    assert count(lambda x: net.init(KEY, x, to="y"), image) == down + up + norms + (64 + 512 + 3)
    judge = Discriminator(channels=64, layers=3)
    layers = [6, 64, 128, 256, 512]
    kernels = sum(16 * a * b for a, b in zip(layers, [*layers[1:], 1], strict=True))
    assert count(lambda x: judge.init(KEY, x, of="y", beside=x), image) == kernels + 64 + 1 + 2 * (128 + 256 + 512)
    outputs = jax.eval_shape(lambda x: judge.init_with_output(KEY, x, of="y", beside=x)[0], image)
    assert outputs.shape == (1, 30, 30)


@pytest.mark.parametrize("layers, side", [(0, 7), (1, 16), (2, 34), (3, 70), (4, 142)])
def test_an_output_of_the_discriminator_sees_a_patch(monkeypatch, layers, side):
    """70 × 70 pixels with three layers. Without normalisation, whose means go over the whole image."""
    monkeypatch.setattr(pix2pix, "InstanceNorm", lambda dtype: lambda x: x)
    net, size = Discriminator(channels=1, layers=layers), 256
    image = jax.random.normal(KEY, (1, size, size, 1))
    variables = net.init(KEY, image, of="y")
    variables = jax.tree.map(lambda x: jnp.ones_like(x), variables)  # no path is cut off by chance
    middle = (size >> layers) // 2 - 1
    reach = jax.grad(lambda x: net.apply(variables, x, of="y")[0, middle, middle])(image)[0, :, :, 0]
    down, across = np.nonzero(np.asarray(reach))
    assert np.ptp(down) + 1 == np.ptp(across) + 1 == side == 9 * 2**layers - 2


def test_noise_is_dropout_and_only_where_it_is_asked_for():
    net = generator()
    variables = net.init({"params": KEY}, IMAGE, to="y")
    one, other = (net.apply(variables, IMAGE, to="y", noisy=True, rngs={"dropout": jax.random.key(i)}) for i in (1, 2))
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(net.apply(variables, IMAGE, to="y"), net.apply(variables, IMAGE, to="y"))
    assert one.shape == (2, 8, 8, 1) and one.dtype == jnp.float32
    assert np.abs(one).max() < 1


def test_without_skips_all_goes_through_the_coarsest_grid():
    """Where the last halving gives nothing, what is made says nothing of its image, unless there are skips."""

    def distance(skips):
        net = generator(skips=skips, dropout=0.0)
        variables = net.init(KEY, IMAGE, to="y")
        last = variables["params"]["y"]["Halve_2"]
        last["kernel"] = jnp.zeros_like(last["kernel"])
        one, other = net.apply(variables, IMAGE, to="y")
        return np.abs(one - other).max()

    assert distance(True) > 1e-3
    assert distance(False) == 0


def test_an_image_is_made_from_itself_alone():
    """Normalisation is of each image: the others of the batch change nothing."""
    net = generator()
    variables = net.init(KEY, IMAGE, to="y")
    alone = net.apply(variables, IMAGE[:1], to="y")
    np.testing.assert_allclose(net.apply(variables, IMAGE, to="y")[:1], alone, atol=1e-6)


def test_each_field_has_a_network_of_its_own():
    """Two calls of one module: the weights of a field's network are those of its name."""
    net = generator(shape=(8, 8, 3))

    def both(module, image):
        return module(image, to="x"), module(image, to="y")

    variables = net.init(KEY, IMAGE, method=both)
    assert set(variables["params"]) == {"x", "y"}
    x, y = net.apply(variables, IMAGE, method=both)
    assert not np.allclose(x, y)
    only = {"params": {"y": variables["params"]["y"]}}
    np.testing.assert_array_equal(net.apply(only, IMAGE, to="y"), y)


def test_what_does_not_fit_is_refused():
    with pytest.raises(Unfit, match="can be halved 3 times"):
        generator(levels=4).init(KEY, IMAGE, to="y")
    with pytest.raises(Unfit, match="leaves less than 3 pixels of 8 × 8"):
        Discriminator(channels=2, layers=2).init(KEY, IMAGE, of="y")
