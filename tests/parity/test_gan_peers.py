"""Spectral normalisation, penalties and grouped convolutions against PyTorch's own, on the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.layers.spectral import COLLECTION, Spectral
from aigc_jax.ops import adversarial
from aigc_jax.ops.kernels.grouped import one_by_one

torch = pytest.importorskip("torch")

RANDOM = np.random.RandomState(0)
TOLERANCE = 1e-4  # relative, to the largest value


def draw(*shape):
    return RANDOM.randn(*shape).astype(np.float32)


def check(found, expected):
    expected = np.asarray(expected)
    assert np.abs(np.asarray(found) - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_spectral_normalisation_moves_as_pytorchs_from_the_same_vector():
    """PyTorch's matrix is the transpose of ours: the vector that it keeps first, of the outputs, is ours."""
    kernel, u = draw(7, 5), draw(5)
    u /= np.linalg.norm(u)
    layer = torch.nn.utils.spectral_norm(torch.nn.Linear(7, 5, bias=False))
    with torch.no_grad():
        layer.weight_orig.copy_(torch.from_numpy(kernel.T))
        layer.weight_u.copy_(torch.from_numpy(u))
    variables = {COLLECTION: {"u": jnp.asarray(u)}}
    against = draw(7, 5)
    for _ in range(3):  # the first pass, and those from vectors that moved
        layer(torch.zeros(1, 7))
        layer.zero_grad()
        (layer.weight * torch.from_numpy(against.T)).sum().backward()
        value = lambda w, kept: jnp.sum(against * Spectral().apply(kept, w, True, mutable=[COLLECTION])[0])  # noqa: E731
        slope = jax.grad(value)(jnp.asarray(kernel), variables)
        normalised, variables = Spectral().apply(variables, jnp.asarray(kernel), True, mutable=[COLLECTION])
        check(normalised, layer.weight.detach().numpy().T)
        check(variables[COLLECTION]["u"], layer.weight_u.numpy())
        check(slope, layer.weight_orig.grad.numpy().T)


class Critic:
    """Two convolutions, the first of stride 2, and a sum, on both sides."""

    def __init__(self):
        self.weights = [0.3 * draw(4, 4, 2, 6), 0.3 * draw(3, 3, 6, 5), draw(5)]

    def ours(self, weights, x):
        dimensions = ("NHWC", "HWIO", "NHWC")
        h = jax.lax.conv_general_dilated(x, weights[0], (2, 2), ((1, 1), (1, 1)), dimension_numbers=dimensions)
        h = jax.lax.conv_general_dilated(jnp.tanh(h), weights[1], (1, 1), "SAME", dimension_numbers=dimensions)
        return jax.nn.softplus(h).sum((1, 2)) @ weights[2]

    def theirs(self, weights, x):
        h = torch.nn.functional.conv2d(x, weights[0].permute(3, 2, 0, 1), stride=2, padding=1)
        h = torch.nn.functional.conv2d(torch.tanh(h), weights[1].permute(3, 2, 0, 1), padding=1)
        return torch.nn.functional.softplus(h).sum((2, 3)) @ weights[2]


def slopes(critic, weights, images):
    """PyTorch's gradients of the logits by the images, which can be differentiated again."""
    images = images.permute(0, 3, 1, 2).requires_grad_()
    return torch.autograd.grad(critic.theirs(weights, images).sum(), images, create_graph=True)[0].flatten(1)


@pytest.mark.parametrize("name", ["gradient_penalty", "r1", "r2"])
def test_a_penalty_and_its_gradient_by_the_weights(name):
    """At the points that ours draws between real examples and fakes, from the same key."""
    critic = Critic()
    real, fake = draw(4, 8, 6, 2), draw(4, 8, 6, 2)
    key = jax.random.key(0)

    def ours(weights):
        penalty = getattr(adversarial, name)
        return penalty(lambda x: critic.ours(weights, x), jnp.asarray(real), jnp.asarray(fake), key)

    weights = [torch.from_numpy(w).requires_grad_() for w in critic.weights]
    if name == "gradient_penalty":
        share = np.asarray(jax.random.uniform(key, (4, 1, 1, 1)))
        between = torch.from_numpy(share * real + (1 - share) * fake)
        theirs = (slopes(critic, weights, between).norm(dim=1) - 1) ** 2
    else:
        theirs = 0.5 * slopes(critic, weights, torch.from_numpy({"r1": real, "r2": fake}[name])).pow(2).sum(1)
    check(ours(critic.weights), theirs.detach().numpy())
    theirs.sum().backward()
    for found, expected in zip(jax.grad(lambda w: jnp.sum(ours(w)))(critic.weights), weights, strict=True):
        check(found, expected.grad.numpy())


def test_a_convolution_in_groups():
    x, kernel = draw(2, 5, 4, 6), draw(3, 3, 2, 12)
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(kernel).permute(3, 2, 0, 1), padding=1, groups=3
    )
    check(one_by_one(jnp.asarray(x), jnp.asarray(kernel), 3), theirs.permute(0, 2, 3, 1).numpy())
