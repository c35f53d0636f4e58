"""Inception's features of images, which FID is measured with: torch-fidelity's network.

Both networks have random weights. FID of 10,000 images takes 10,000 / the rate here and a run of the piece `frechet`.
"""

import os
from collections.abc import Mapping
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.work import Side, Work

CEILING = "convolution"
UNIT = "images"
SIZES = {
    "cpu": dict(images=32, side=32),
    "gpu": dict(images=1024, side=32),
    "tiny": dict(images=1, side=8),
}
FEATURES = 2048


def images(settings: Mapping[str, Any]) -> np.ndarray:
    """uint8 [N, H, W, 3]."""
    shape = settings["images"], settings["side"], settings["side"], 3
    return np.random.RandomState(0).randint(0, 256, shape, np.uint8)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The extractor "inception", in batches of the size that it has by default."""
    import jax

    from aigc_jax.metrics.features.extractor import Extractor, for_large_images
    from aigc_jax.metrics.features.inception import SIDE, Inception, answers
    from benchmarks import in_jax

    weights = jax.jit(Inception().init)(jax.random.key(0), np.zeros((1, SIDE, SIDE, 3), np.float32))
    using, x = Extractor("inception", "", None, "", answers, weights, for_large_images()), images(settings)

    def run() -> None:
        assert using(x).features.shape == (len(x), FEATURES)

    return Work(run, len(x), in_jax.count(weights["params"]), memory=in_jax.peak())


def import_torchvision() -> None:
    """Which torch-fidelity needs. PyPI's, beside a build of torch for CPUs, describes operators that are not there."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in ("nms", "qnms"):  # nothing here calls them
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def torch_fidelity(settings: Mapping[str, Any]) -> Work:
    """FeatureExtractorInceptionV3, in batches of the size that it has by default."""
    import torch

    import_torchvision()
    from torch_fidelity import feature_extractor_inceptionv3 as peer
    from torch_fidelity.defaults import DEFAULTS

    from benchmarks import peers

    if peers.DEVICE == "cpu":
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = peer.FeatureExtractorInceptionV3
    with mock.patch.object(peer, "load_state_dict_from_url"), mock.patch.object(network, "load_state_dict"):
        extractor = network("inception", ["2048", "logits_unbiased"]).to(peers.DEVICE)
    x = torch.from_numpy(images(settings).transpose(0, 3, 1, 2).copy())

    @torch.inference_mode()
    def run() -> None:
        found = [extractor(part.to(peers.DEVICE))[0].cpu() for part in x.split(DEFAULTS["batch_size"])]
        assert torch.cat(found).shape == (len(x), FEATURES)

    count = sum(p.numel() for p in extractor.parameters())
    return Work(run, len(x), count, lambda: peers.counted(run), peers.memory())


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "torch_fidelity": Side("fidelity", torch_fidelity, "torch-fidelity"),
}
