"""The Fréchet distance of 10,000 images' features from a reference: torch-fidelity's functions.

A run takes the features' mean and covariance, and the distance from statistics that are there already, as those of a
data set are. What the features take is the piece `fid`. Ours reckons in float64, and also finds how far each image
moves the distance, which its interval comes from.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.pieces import fid
from benchmarks.work import Side, Work

CEILING = ""
UNIT = "distances"
SIZES = {
    "cpu": dict(images=10_000, features=fid.FEATURES),
    "tiny": dict(images=20, features=4),
}


def features(settings: Mapping[str, Any], seed: int) -> np.ndarray:
    """Positive as Inception's are, float32 [N, D]."""
    shape = settings["images"], settings["features"]
    return np.random.RandomState(seed).gamma(1.0, 0.4, shape).astype(np.float32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """metrics.frechet."""
    from aigc_jax.metrics import frechet

    reference, found = frechet.moments(features(settings, 0)), features(settings, 1)

    def run() -> None:
        assert np.isfinite(frechet.frechet(reference, found).value)

    return Work(run, 1)


def torch_fidelity(settings: Mapping[str, Any]) -> Work:
    """metric_fid."""
    import torch

    fid.import_torchvision()
    from torch_fidelity import metric_fid

    reference = metric_fid.fid_features_to_statistics(torch.from_numpy(features(settings, 0)))
    found = torch.from_numpy(features(settings, 1))

    def run() -> None:
        statistics = metric_fid.fid_features_to_statistics(found)
        distance = metric_fid.fid_statistics_to_metric(statistics, reference, verbose=False)
        assert np.isfinite(distance[metric_fid.KEY_METRIC_FID])

    return Work(run, 1)


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "torch_fidelity": Side("fidelity", torch_fidelity, "torch-fidelity"),
}
