"""A training step of the convolutional autoencoder of latent diffusion, by its bound: diffusers.

Its encoder, one draw of z, its decoder, normal pixels of one deviation, the KL divergence, gradients clipped to norm 1,
Adam, an average of weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
USUAL = dict(channels=64, multipliers=(1, 2, 4), blocks=2, latent_channels=4, groups=32, image=(64, 64, 3))
SIZES = {
    "cpu": dict(**USUAL, batch=4, precision="float32"),
    "gpu": dict(**{**USUAL, "channels": 128, "multipliers": (1, 2, 4, 4)}, batch=32, precision="bfloat16"),
    "tiny": dict(
        channels=4,
        multipliers=(1, 2),
        blocks=1,
        latent_channels=2,
        groups=2,
        image=(8, 8, 1),
        batch=2,
        precision="float32",
    ),
}
RATE, CLIP, DECAY, DEVIATION = 1e-3, 1.0, 0.999, 0.1


def images(settings: Mapping[str, Any]) -> np.ndarray:
    """A batch in [-1, 1], float32 [B, H, W, C]."""
    return np.random.RandomState(0).uniform(-1, 1, (settings["batch"], *settings["image"])).astype(np.float32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    sizes = {key: settings[key] for key in ("channels", "multipliers", "blocks", "latent_channels", "groups")}
    likelihood = {"method.likelihood": "gaussian", "method.scale": DEVIATION}
    config = ours.settings("vae_images", {"precision": settings["precision"], **likelihood})
    config["networks"]["net"] = dict(name="autoencoder_kl.AutoencoderKL", **sizes, parameters=1)
    config["optimizers"]["net"].update(clip_norm=CLIP, ema_decay=DECAY)
    facts = {"shape": settings["image"], "levels": 256}
    return ours.training(config, facts, {"target": images(settings)}, settings["batch"])


def diffusers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """A plain loop around its network."""
    import torch
    from diffusers import AutoencoderKL

    from benchmarks import peers

    levels, colours = len(settings["multipliers"]), settings["image"][-1]
    network = AutoencoderKL(
        in_channels=colours,
        out_channels=colours,
        block_out_channels=tuple(settings["channels"] * m for m in settings["multipliers"]),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=settings["blocks"],
        latent_channels=settings["latent_channels"],
        norm_num_groups=settings["groups"],
    )
    network = network.to(peers.DEVICE).train()
    x = torch.from_numpy(images(settings)).permute(0, 3, 1, 2).contiguous().to(peers.DEVICE)

    def loss() -> torch.Tensor:
        posterior = network.encode(x).latent_dist
        mean, log_variance = posterior.mean.float(), posterior.logvar.float()
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        nats = (network.decode(z).sample.float() - x).square().sum((1, 2, 3)) / (2 * DEVIATION**2)
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum((1, 2, 3))
        return (nats + kl).mean()

    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    call = torch.compile(loss) if compiled else loss
    work = peers.training(network, call, optimizer, len(x), settings["precision"], CLIP, DECAY)
    return work if compiled else work._replace(cost=lambda: peers.counted(work.run))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", diffusers, "diffusers, eager"),
    "compiled": Side("torch", lambda settings: diffusers(settings, compiled=True), "diffusers, torch.compile"),
}
