"""StyleGAN2's layers and penalties against PyTorch, written from the papers' equations, on the same weights.

There every example has weights of its own, in one grouped convolution, and filters are convolutions over zeros between
pixels. Numbers: arXiv:1912.04958 where nothing else is said.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn import stylegan2
from aigc_jax.nn.layers.minibatch_deviation import minibatch_deviation
from aigc_jax.nn.layers.modulated import EPSILON, ModulatedConv
from aigc_jax.ops import adversarial
from aigc_jax.ops.path_length import path_length
from aigc_jax.ops.resample import down, up

torch = pytest.importorskip("torch")
F = torch.nn.functional

KEY = jax.random.key(0)
ROWS, SIDE, LATENT, GROUP = 8, 16, 12, 4
LABELS = np.arange(ROWS) % 3
COMMON = dict(channels=6, most=20, halvings=2, label_classes=3)


def to_torch(tree):
    return jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=True), tree)


def pixels(x):
    """[B, H, W, C] -> torch's [B, C, H, W], which keeps its gradient."""
    return x.permute(0, 3, 1, 2)


def taps(kernel):
    """[h, w, I, O] -> [O, I, h, w]."""
    return kernel.permute(3, 2, 0, 1)


def close(found, expected, name=""):
    """Within 1e-4 of the largest value."""
    found, expected = np.asarray(found), np.asarray(expected.detach() if hasattr(expected, "detach") else expected)
    assert found.shape == expected.shape, name
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
    print(f"{name:<40} {error:.1e}")
    assert error <= 1e-4, f"{name}: {error}"


def close_trees(found, expected, name):
    for (path, one), other in zip(jax.tree.leaves_with_path(found), jax.tree.leaves(expected), strict=True):
        close(one, other, f"{name}{jax.tree_util.keystr(path)}")


# What the papers say, in PyTorch.


def dense(x, weights, multiplier=1.0):
    kernel, bias = weights["kernel"] * multiplier, weights["bias"] * multiplier
    return x @ (kernel / math.sqrt(len(kernel))) + bias


def activate(x):
    return math.sqrt(2) * F.leaky_relu(x, 0.2)


def scaled(kernel):
    return taps(kernel) / math.sqrt(kernel.shape[0] * kernel.shape[1] * kernel.shape[2])


def fir(x, zeros=1, every=1, border=(0, 0), gain=1.0):
    """x [B, C, H, W] with zeros between its pixels, a border, the filter [1, 3, 3, 1], and every so many values."""
    rows, channels, height, width = x.shape
    if zeros > 1:
        spread = x.new_zeros(rows, channels, height, zeros, width, zeros)
        spread[:, :, :, 0, :, 0] = x
        x = spread.reshape(rows, channels, zeros * height, zeros * width)
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = (gain * line[:, None] * line).expand(channels, 1, 4, 4)
    return F.conv2d(F.pad(x, (*border, *border)), kernel, stride=every, groups=channels)


def modulated(x, style, weights, twice=False, demodulate=True):
    """Eq. 1 and 3, weights of each example, one group each."""
    rows, inputs, height, width = x.shape
    s = dense(style, weights["style"])
    w = scaled(weights["kernel"])[None] * s[:, None, :, None, None]
    if demodulate:
        w = w / torch.sqrt((w**2).sum(dim=(2, 3, 4), keepdim=True) + EPSILON)
    outputs, size = w.shape[1], w.shape[-1]
    x = x.reshape(1, rows * inputs, height, width)
    if twice:
        w = w.transpose(1, 2).reshape(rows * inputs, outputs, size, size)
        y = F.conv_transpose2d(x, w, stride=2, groups=rows)
        return fir(y.reshape(rows, outputs, *y.shape[2:]), border=(1, 1), gain=4)
    y = F.conv2d(x, w.reshape(rows * outputs, inputs, size, size), padding=size // 2, groups=rows)
    return y.reshape(rows, outputs, height, width)


def deviation(x, group):
    """ProGAN (arXiv:1710.10196), section 3, in groups of neighbours."""
    channels = []
    for rows in x.split(group):
        mean = ((rows - rows.mean(0)) ** 2).mean(0).add(1e-8).sqrt().mean()
        channels.append(mean.expand(len(rows), 1, *x.shape[2:]))
    return torch.cat([x, torch.cat(channels)], dim=1)


def unit(x):
    return x / torch.sqrt((x**2).mean(dim=1, keepdim=True) + 1e-8)


def mapped(weights, depth, noise=None):
    label = unit(dense(F.one_hot(torch.tensor(LABELS), 3).float(), weights["label"]))
    x = label if noise is None else torch.cat([unit(noise), label], dim=1)
    for i in range(depth):
        x = activate(dense(x, weights[f"layer_{i}"], 0.01))
    return x


def rendered(weights, w, patterns):
    def layer(x, name, style, twice=False):
        own = weights[name]
        x = modulated(x, style, own["conv"], twice)
        return activate(x + own["noise"] * patterns[name] + own["bias"][:, None, None])

    x, image = weights["constant"].permute(2, 0, 1).expand(len(w), -1, -1, -1), 0
    for i in range(3):
        if i:
            x, image = layer(x, f"double_{i}", w[:, 2 * i - 1], True), fir(image, 2, border=(2, 1), gain=4)
        x = layer(x, f"layer_{i}", w[:, 2 * i])
        own = modulated(x, w[:, 2 * i + 1], weights[f"image_{i}"], demodulate=False)
        image = image + own + weights[f"bias_{i}"][:, None, None]
    return image


def judged(weights, images, residual):
    def conv(x, name, half=False):
        own = weights[name]
        bias = own.get("bias")
        kernel = scaled(own["kernel"])
        if half:
            return F.conv2d(fir(x, border=(1, 1) if kernel.shape[-1] == 1 else (2, 2)), kernel, bias, stride=2)
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    x = activate(conv(images, "image"))
    for i in range(2):
        y = activate(conv(activate(conv(x, f"layer_{i}")), f"half_{i}", True))
        x = (y + conv(x, f"shortcut_{i}", True)) / math.sqrt(2) if residual else y
    x = activate(conv(deviation(x, GROUP), "last"))
    x = activate(dense(x.permute(0, 2, 3, 1).reshape(len(x), -1), weights["features"]))
    x = dense(x, weights["projection"])
    return (x * mapped(weights["mapping"], 2)).sum(1) / math.sqrt(x.shape[1])


# Ours beside it.


def generator():
    """(ours, its variables with noise of some strength)"""
    made = stylegan2.Generator((SIDE, SIDE, 3), **COMMON, width=LATENT, depth=2, mixing=0.9)
    variables = made.init(KEY, jnp.zeros((ROWS, LATENT)), {"label": LABELS})
    params = jax.tree.map(lambda x: 0.3 + x if x.ndim < 2 else x, variables["params"])
    return made, {**variables, "params": params}


def patterns():
    """The fixed noise of each layer, as torch broadcasts it."""
    sides = {"layer_0": 4, "double_1": 8, "layer_1": 8, "double_2": 16, "layer_2": 16}
    return {
        name: torch.tensor(np.asarray(jax.random.normal(jax.random.key(number), (1, 1, side, side))))
        for number, (name, side) in enumerate(sides.items())
    }


@pytest.mark.parametrize(("size", "twice", "demodulate"), [(3, False, True), (3, True, True), (1, False, False)])
def test_modulated_convolution(size, twice, demodulate):
    x, style = (jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate([(4, 8, 6, 5), (4, LATENT)]))
    layer = ModulatedConv(7, size, twice, demodulate)
    params = layer.init(KEY, x, style)["params"]
    weight = jax.random.normal(jax.random.key(3), (4, 16, 12, 7) if twice else (4, 8, 6, 7))

    def loss(params, x, style):
        y = layer.apply({"params": params}, x, style)
        return jnp.sum(weight * y), y

    (_, y), found = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(params, x, style)
    given = to_torch((params, x, style))
    theirs = modulated(pixels(given[1]), given[2], given[0], twice, demodulate).permute(0, 2, 3, 1)
    (theirs * torch.tensor(np.asarray(weight))).sum().backward()
    close(y, theirs, "values")
    close_trees(found, jax.tree.map(lambda x: x.grad, given), "gradients")


def test_resampling_filters():
    x = jax.random.normal(KEY, (2, 8, 6, 3))
    given = pixels(torch.tensor(np.asarray(x)))
    close(up(x), fir(given, 2, border=(2, 1), gain=4).permute(0, 2, 3, 1), "up")
    close(down(x), fir(given, every=2, border=(1, 1)).permute(0, 2, 3, 1), "down")


def test_minibatch_deviation():
    x = jax.random.normal(KEY, (8, 4, 4, 5))
    weight = jax.random.normal(jax.random.key(3), (8, 4, 4, 6))
    given = torch.tensor(np.asarray(x), requires_grad=True)
    theirs = deviation(pixels(given), GROUP).permute(0, 2, 3, 1)
    (theirs * torch.tensor(np.asarray(weight))).sum().backward()
    close(minibatch_deviation(x, GROUP), theirs, "values")
    close(jax.grad(lambda x: jnp.sum(weight * minibatch_deviation(x, GROUP)))(x), given.grad, "gradient")


def test_images_and_path_length():
    """From noise and label to images; the penalty's gradient reaches all weights of the synthesis, and w."""
    ours, variables = generator()
    z = jax.random.normal(jax.random.key(8), (ROWS, LATENT))
    given = {"label": LABELS}
    images, w = ours.apply(variables, z, given), ours.apply(variables, z, given, method="style")
    weights = to_torch(variables["params"])
    style = mapped(weights["mapping"], 2, torch.tensor(np.asarray(z)))
    close(w, style[:, None].expand(-1, 6, -1), "w")
    close(images, rendered(weights["synthesis"], style[:, None].expand(-1, 6, -1), patterns()).permute(0, 2, 3, 1))

    def loss(params, w):
        def render(w):
            return ours.apply({**variables, "params": params}, w, given, method="render")

        penalty, mean = path_length(render, w, KEY, jnp.float32(0.2))
        return jnp.mean(penalty), (penalty, mean)

    (_, (penalty, mean)), found = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(variables["params"], w)
    their_w = torch.tensor(np.asarray(w), requires_grad=True)
    y = pixels(torch.tensor(np.asarray(jax.random.normal(KEY, images.shape)))) / SIDE
    (slopes,) = torch.autograd.grad(
        (rendered(weights["synthesis"], their_w, patterns()) * y).sum(), their_w, create_graph=True
    )
    lengths = (slopes**2).sum(2).mean(1).sqrt()
    theirs = (lengths - 0.2) ** 2
    theirs.mean().backward()
    close(mean, lengths.mean(), "length")
    close(penalty, theirs, "penalty")
    close(found[1], their_w.grad, "penalty by w")
    expected = jax.tree.map(lambda x: torch.zeros_like(x) if x.grad is None else x.grad, weights)
    close_trees(found[0]["synthesis"], expected["synthesis"], "penalty by ")


@pytest.mark.parametrize("residual", [True, False])
def test_logits_and_r1(residual):
    """The penalty's gradient reaches all weights of the discriminator but the last bias."""
    ours = stylegan2.Discriminator(**COMMON, residual=residual, group=GROUP, label_depth=2)
    images = jax.random.uniform(KEY, (ROWS, SIDE, SIDE, 3), minval=-1)
    given = {"label": LABELS}
    params = ours.init(KEY, images, given)["params"]
    params = jax.tree.map(lambda x: 0.1 + x if x.ndim < 2 else x, params)

    def loss(params, images):
        penalty = adversarial.r1(lambda x: ours.apply({"params": params}, x, given), images, images, KEY)
        return jnp.mean(penalty), penalty

    (_, penalty), found = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(params, images)
    weights, real = to_torch((params, images))
    logits = judged(weights, pixels(real), residual)
    close(ours.apply({"params": params}, images, given), logits, "logits")
    (slopes,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    theirs = 0.5 * (slopes**2).sum(dim=(1, 2, 3))
    theirs.mean().backward()
    close(penalty, theirs, "penalty")
    close(found[1], real.grad, "penalty by images")
    expected = jax.tree.map(lambda x: torch.zeros_like(x) if x.grad is None else x.grad, weights)
    close_trees(found[0], expected, "penalty by ")
