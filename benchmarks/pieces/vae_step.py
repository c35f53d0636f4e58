"""A training step of the VAE of configs/vae_fashion_mnist.py: plain PyTorch.

A convolutional encoder and decoder, one draw of z, the discretized logistic likelihood, Adam, an average of weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
USUAL = dict(widths=(32, 64), hidden=256, latent=32, image=(28, 28, 1), batch=128)
SIZES = {
    "cpu": dict(**USUAL, precision="float32"),
    "gpu": dict(**USUAL, precision="bfloat16"),
    "tiny": dict(widths=(4, 4), hidden=8, latent=4, image=(8, 8, 1), batch=4, precision="float32"),
}
RATE, DECAY = 1e-3, 0.999
PARAMETERS = 2  # of the likelihood: location and logarithm of the scale
STEP, LOG_SCALE_MIN = 2 / 255, -7.0  # between grey levels; of the logistic


def images(settings: Mapping[str, Any]) -> np.ndarray:
    """A batch of grey levels in [-1, 1], float32 [B, H, W, C]."""
    levels = np.random.RandomState(0).randint(0, 256, (settings["batch"], *settings["image"]))
    return (levels * STEP - 1).astype(np.float32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    changes = {f"networks.net.{key}": settings[key] for key in ("widths", "hidden", "latent")}
    config = ours.settings("vae_fashion_mnist", {**changes, "precision": settings["precision"]})
    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config, facts, {"target": images(settings)}, settings["batch"])


def networks(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """(encoder, decoder) with the same layers as ours; their parameters are as many."""
    from torch import nn

    from benchmarks import peers

    height, width, colours = settings["image"]
    widths, hidden, latent = settings["widths"], settings["hidden"], settings["latent"]
    grid = widths[-1], height >> len(widths), width >> len(widths)
    flat = grid[0] * grid[1] * grid[2]
    halvings = [
        layer
        for before, after in zip((colours, *widths), widths, strict=False)
        for layer in (nn.Conv2d(before, after, 4, 2, 1), nn.ReLU())
    ]
    encoder = nn.Sequential(*halvings, nn.Flatten(), nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
    outputs = (*widths[-2::-1], colours * PARAMETERS)
    doublings = [
        layer
        for before, after in zip((widths[-1], *outputs), outputs, strict=False)
        for layer in (nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1))
    ]
    decoder = nn.Sequential(
        nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, flat), nn.Unflatten(1, grid), *doublings
    )
    return encoder.to(peers.DEVICE), decoder.to(peers.DEVICE)


def log_prob(location: Any, log_scale: Any, x: Any) -> Any:
    """Of grey levels under the discretized logistic, in nats: the arithmetic of `aigc_jax.ops.likelihood`."""
    import torch
    from torch.nn.functional import logsigmoid

    inverse = torch.exp(-log_scale.clamp(min=LOG_SCALE_MIN))
    below, above = (logsigmoid((sign * (x - location) + STEP / 2) * inverse) for sign in (1, -1))
    within = below + above + torch.log(-torch.expm1(-STEP * inverse))
    return torch.where(x < -1 + STEP / 2, below, torch.where(x > 1 - STEP / 2, above, within))


def pytorch(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """A plain loop around the bound. Compiled: the whole loss, with the likelihood."""
    import torch

    from benchmarks import peers

    encoder, decoder = networks(settings)
    both = torch.nn.ModuleList([encoder, decoder]).train()
    x = torch.from_numpy(images(settings)).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)
    colours = settings["image"][-1]

    def loss() -> torch.Tensor:
        mean, log_variance = encoder(x).float().chunk(2, 1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        location, log_scale = decoder(z).float().split(colours, 1)
        nats = -log_prob(location, log_scale, x).sum((1, 2, 3))
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)
        return (nats + kl).mean()

    optimizer = torch.optim.Adam(both.parameters(), RATE, fused=True)
    call = torch.compile(loss) if compiled else loss
    work = peers.training(both, call, optimizer, settings["batch"], settings["precision"], ema_decay=DECAY)
    return work if compiled else work._replace(cost=lambda: peers.counted(work.run))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", pytorch, "PyTorch, eager"),
    "compiled": Side("torch", lambda settings: pytorch(settings, compiled=True), "PyTorch, torch.compile"),
}
