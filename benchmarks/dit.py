"""What the pieces about DiT, configs/dit_imagenet.py, share: its sizes, its rows, diffusers' twin."""

from collections.abc import Mapping
from typing import Any

import numpy as np

S4 = dict(width=384, layers=12, heads=6, patch=4, image=(32, 32, 4), classes=1000)  # DiT-S/4 on latents
XL2 = dict(width=1152, layers=28, heads=16, patch=2, image=(32, 32, 4), classes=1000)
TINY = dict(width=8, layers=1, heads=2, patch=2, image=(8, 8, 1), classes=3, batch=4, precision="float32")
TIMESTEPS, DROP, RATE, DECAY = 1000, 0.1, 1e-4, 0.9999


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    changes = {f"networks.net.{key}": settings[key] for key in ("width", "layers", "heads", "patch")}
    remat = {"networks.net.remat": False}  # theirs keeps what it computes, too
    return ours.settings("dit_imagenet", {**changes, **remat, "precision": settings["precision"]})


def facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of latents by class."""
    return {"shape": settings["image"], "levels": 0, "label_classes": settings["classes"]}


def rows(settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A batch: "target", float32 [B, H, W, C] of variance 1, and "label", int32 [B]."""
    draws, count = np.random.RandomState(0), settings["batch"]
    target = draws.normal(size=(count, *settings["image"])).astype(np.float32)
    return {"target": target, "label": draws.randint(0, settings["classes"], count).astype(np.int32)}


def transformer(settings: Mapping[str, Any]) -> Any:
    """diffusers' network with the same layers. Its blocks share one embedding of time and label, as the paper's do."""
    from diffusers import DiTTransformer2DModel

    from benchmarks import peers

    side, _, channels = settings["image"]
    network = DiTTransformer2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        patch_size=settings["patch"],
        num_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        attention_head_dim=settings["width"] // settings["heads"],
        num_embeds_ada_norm=settings["classes"],
        norm_eps=1e-6,
    )
    for block in network.transformer_blocks:
        block.norm1.emb = network.transformer_blocks[0].norm1.emb
    return network.to(peers.DEVICE)
