"""Measures of features against those of torch-fidelity and pytorch-fid on the same features."""

import numpy as np
import pytest
from scipy.special import softmax

from aigc_jax.metrics.frechet import frechet, moments
from aigc_jax.metrics.kernel import kid
from aigc_jax.metrics.manifold import nearest_others, precision_recall
from aigc_jax.metrics.scores import inception_score

torch = pytest.importorskip("torch")
metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
metric_isc = pytest.importorskip("torch_fidelity.metric_isc")
metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
metric_prc = pytest.importorskip("torch_fidelity.metric_prc")
fid_score = pytest.importorskip("pytorch_fid.fid_score")


COUNT, WIDTH, SEED = 1200, 96, 2020


@pytest.fixture(scope="module")
def features():
    """(of real, of generated images): rectified and correlated, as a network's are, float32."""
    random = np.random.RandomState(0)
    mixing = random.randn(24, WIDTH)

    def draw(count, scale, shift):
        return np.maximum(scale * random.randn(count, 24) @ mixing / 5 + 0.2 * random.randn(count, WIDTH) + shift, 0)

    return draw(COUNT, 1.0, 0.3).astype(np.float32), draw(COUNT - 100, 1.1, 0.4).astype(np.float32)


def test_frechet_distance(features):
    real, made = features
    found = frechet(moments(real), made).value
    fidelity = metric_fid.fid_statistics_to_metric(
        *(metric_fid.fid_features_to_statistics(torch.from_numpy(side)) for side in (made, real)), verbose=False
    )["frechet_inception_distance"]
    statistics = [part for side in (real, made) for part in (side.mean(0), np.cov(side, rowvar=False))]
    other = fid_score.calculate_frechet_distance(*statistics)
    print(found, found / fidelity - 1, found / other - 1)
    assert found == pytest.approx(fidelity, rel=1e-3)
    assert found == pytest.approx(other, rel=1e-3)


def test_kid_over_the_same_subsets(features):
    real, made = features
    expected = metric_kid.kid_features_to_metric(
        *(torch.from_numpy(side.astype(np.float64)) for side in (real, made)),
        kid_subsets=20, kid_subset_size=500, rng_seed=SEED, verbose=False,
    )["kernel_inception_distance_mean"]  # fmt: skip
    found = kid(real, made, subsets=20, size=500, seed=SEED).value
    print(found, found / expected - 1)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shuffle", [False, True])
def test_inception_score_over_the_same_parts(shuffle):
    """Of equal parts. Its parts are of shuffled samples by default, ours of samples as they come."""
    logits = 3 * np.random.RandomState(0).randn(1000, 50).astype(np.float32)
    expected = metric_isc.isc_features_to_metric(torch.from_numpy(logits), 10, shuffle, SEED)["inception_score_mean"]
    order = np.random.RandomState(SEED).permutation(len(logits)) if shuffle else slice(None)
    found = inception_score(softmax(logits[order].astype(np.float64), -1), 10).value
    print(found, found / expected - 1)
    assert found == pytest.approx(expected, rel=1e-9)


def test_precision_and_recall(features):
    real, made = features
    expected = metric_prc.prc_features_to_metric(
        *(torch.from_numpy(side.astype(np.float64)) for side in (made, real)),
        prc_neighborhood=3, prc_batch_size=500, save_cpu_ram=False, verbose=False,
    )  # fmt: skip
    found = precision_recall(real, nearest_others(real, 3), made)
    print(found["precision"].value, found["recall"].value)
    assert 0.05 < expected["precision"] < 0.95 and 0.05 < expected["recall"] < 0.95
    assert found["precision"].value == pytest.approx(expected["precision"], abs=1e-6)
    assert found["recall"].value == pytest.approx(expected["recall"], abs=1e-6)
