"""EDM2's U-Net against PyTorch, written from the paper's equations, on the same weights: outputs and gradients.

Numbers: arXiv:2312.02696. There images are [B, C, H, W], convolutions are PyTorch's own, and attention is written out.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax.nn.edm2 import UNet
from aigc_jax.ops.optimizer import keep_norm

torch = pytest.importorskip("torch")
F = torch.nn.functional

ROWS, SIDE, COLOURS, CLASSES, HEAD = 3, 8, 3, 4, 4
NET = UNet(8, (1, 2, 3), 2, (4,), HEAD, 0.0, CLASSES)


# What the paper says, in PyTorch.


def weight(kernel):
    """Eq. 47 and 66: [..., I, O] over the norm of each output, times 1 / sqrt(fan-in) of weights of magnitude 1: the
    norm of what is used is 1. -> [O, I] or [O, I, 3, 3]."""
    w = kernel.permute(*reversed(range(kernel.ndim)))
    w = w.transpose(2, 3) if w.ndim == 4 else w
    return w / torch.linalg.vector_norm(w, dim=tuple(range(1, w.ndim)), keepdim=True)


def dense(p, x):
    return F.linear(x, weight(p["kernel"]))


def conv(p, x):
    return F.conv2d(x, weight(p["kernel"]), padding=1)


def conv1(p, x):
    return F.conv2d(x, weight(p["kernel"])[:, :, None, None])


def mp_silu(x):
    """Eq. 81."""
    return F.silu(x) / 0.596


def mp_sum(a, b, t):
    """Eq. 88."""
    return torch.lerp(a, b, t) / math.sqrt((1 - t) ** 2 + t**2)


def mp_cat(a, b, t=0.5):
    """Eq. 103."""
    n, m = a.shape[1], b.shape[1]
    c = math.sqrt((n + m) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * c * (1 - t) / math.sqrt(n), b * c * t / math.sqrt(m)], dim=1)


def pixel_norm(x, dim=1):
    """Eq. 30."""
    return x / torch.sqrt(torch.mean(x**2, dim=dim, keepdim=True))


def attention(p, x):
    rows, channels, height, width = x.shape
    q, k, v = (
        pixel_norm(conv1(p[name], x).reshape(rows, channels // HEAD, HEAD, height * width), dim=2)
        for name in ("query", "key", "value")
    )
    w = torch.softmax(torch.einsum("nhcq,nhck->nhqk", q, k) / math.sqrt(HEAD), dim=3)
    y = torch.einsum("nhqk,nhck->nhcq", w, v).reshape(x.shape)
    return mp_sum(x, conv1(p["out"], y), 0.3)


def block(p, x, emb, way, resample=None):
    """Figure 21. way: "enc" or "dec"."""
    if resample == "down":
        x = F.avg_pool2d(x, 2)
    elif resample == "up":
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    if way == "enc":
        x = pixel_norm(conv1(p["shortcut"], x) if "shortcut" in p else x)
    y = conv(p["first"], mp_silu(x))
    y = mp_silu(y * (1 + p["gain"] * dense(p["known"], emb))[:, :, None, None])
    y = conv(p["second"], y)
    if way == "dec" and "shortcut" in p:
        x = conv1(p["shortcut"], x)
    x = mp_sum(x, y, 0.3)
    return attention(p["attention"], x) if "attention" in p else x


def unet(p, fourier, x, t, label):
    """c_noise is t / 1000."""
    emb = math.sqrt(2) * torch.cos(2 * math.pi * (torch.outer(t / 1000, fourier["frequencies"]) + fourier["phases"]))
    emb = dense(p["time"], emb)
    emb = mp_silu(mp_sum(emb, dense(p["label"], F.one_hot(label, CLASSES).float() * math.sqrt(CLASSES)), 0.5))
    x = conv(p["in"], torch.cat([x, torch.ones_like(x[:, :1])], dim=1))
    skips = [x]
    for level in range(3):
        if level:
            x = block(p[f"shrink_{level}"], x, emb, "enc", "down")
            skips.append(x)
        for i in range(2):
            x = block(p[f"down_{level}_{i}"], x, emb, "enc")
            skips.append(x)
    x = block(p["middle_1"], block(p["middle_0"], x, emb, "dec"), emb, "dec")
    for level in (2, 1, 0):
        for i in range(3):
            x = block(p[f"up_{level}_{i}"], mp_cat(x, skips.pop()), emb, "dec")
        if level:
            x = block(p[f"grow_{level}"], x, emb, "dec", "up")
    assert not skips
    return p["gain"] * conv(p["out"], x)


# Beside ours.


def to_torch(tree, gradient=False):
    return jax.tree.map(lambda x: torch.tensor(np.asarray(x), requires_grad=gradient), tree)


def close(found, expected, name="", within=1e-4):
    """Within a share of the largest value."""
    found, expected = np.asarray(found), expected.detach().numpy()
    assert found.shape == expected.shape, name
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
    assert error <= within, f"{name}: {error}"


@pytest.fixture(scope="module")
def given():
    x = jax.random.normal(jax.random.key(1), (ROWS, SIDE, SIDE, COLOURS))
    return x, jnp.array([-700.0, 20.0, 900.0]), {"label": jnp.array([3, 0, 1])}


@pytest.fixture(scope="module")
def variables(given):
    """Gains are not 0, and weights are not of norm 1."""
    found = jax.jit(lambda key: NET.init(key, *given, train=False))(jax.random.key(0))
    return {**found, "params": jax.tree.map(lambda x: 1.7 * x if x.ndim else jnp.float32(0.8), found["params"])}


def test_outputs_and_gradients_are_those_of_pytorch(variables, given):
    x, t, label = given
    away = jax.random.normal(jax.random.key(2), x.shape)

    def loss(params, x):
        output = NET.apply({**variables, "params": params}, x, t, label, train=False)
        return jnp.sum(output * away), output

    (grads, grad_x), output = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(variables["params"], x)
    theirs, fourier = to_torch(variables["params"], gradient=True), to_torch(variables["fourier"]["clock"])
    x_theirs = to_torch(x, gradient=True)
    found = unet(
        theirs, fourier, x_theirs.permute(0, 3, 1, 2), to_torch(t), to_torch(label["label"]).long()
    ).permute(0, 2, 3, 1)  # fmt: skip
    (found * to_torch(away)).sum().backward()
    close(output, found, "output")
    close(grad_x, x_theirs.grad, "image", 1e-3)
    for (path, ours), other in zip(jax.tree.leaves_with_path(grads), jax.tree.leaves(theirs), strict=True):
        close(ours, other.grad, jax.tree_util.keystr(path), 1e-3)


def test_forced_normalization_is_that_of_the_paper(variables):
    """Algorithm 1: stored weights are divided by their norm over the root of their number."""
    params = variables["params"]
    tx = keep_norm("kernel")
    updates, _ = tx.update(jax.tree.map(lambda x: 0.1 * x + 0.01, params), tx.init(params), params)
    moved = jax.tree.map(jnp.add, params, updates)
    for path, leaf in jax.tree.leaves_with_path(params):
        if leaf.ndim:
            w = to_torch(1.1 * leaf + 0.01)
            found = moved
            for key in path:
                found = found[key.key]
            norm = torch.linalg.vector_norm(w, dim=tuple(range(w.ndim - 1)), keepdim=True)
            close(found, w / norm * math.sqrt(w[..., 0].numel()), jax.tree_util.keystr(path))
