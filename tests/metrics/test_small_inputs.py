"""Few, equal and odd samples: every measure is finite and within its interval and its range, or says why not."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import softmax

from aigc_jax.errors import UserError
from aigc_jax.metrics import frechet, kernel, manifold, scores, similarity, texts, translation, verse
from aigc_jax.metrics.bootstrap import Estimate, interval, mean

random = np.random.RandomState(0)
FEATURES = {
    "one": random.randn(1, 4),
    "two": random.randn(2, 4),
    "two alike": np.ones((2, 4)),
    "alike": np.full((9, 4), 3.0),
    "zero": np.zeros((9, 4)),
    "constant columns": np.c_[random.randn(9, 2), np.ones((9, 2))],
    "normal": random.randn(9, 4),
    "far": random.randn(9, 4) * 1e6,
    "float32": random.randn(30, 4).astype(np.float32),
}
SHARES = ("precision", "recall", "coverage")


def histograms(real, made):
    p, q = (np.bincount(each.argmax(1), minlength=4) for each in (real, made))
    return dict(zip(("class_KL", "class_JS"), scores.histogram_divergences(p, q, made.argmax(1)), strict=True))


MEASURES = [
    lambda real, made: {"frechet": frechet.frechet(frechet.moments(real), made)},
    lambda real, made: {"kid": kernel.kid(real, made, 5, min(len(real), len(made), 6), 0)},
    lambda real, made: {"mmd": kernel.cmmd(real, made)},
    lambda real, made: manifold.precision_recall(real, manifold.nearest_others(real, 3), made),
    lambda real, made: manifold.density_coverage(real, manifold.nearest_others(real, 5), made),
    lambda real, made: {"score": scores.inception_score(softmax(np.float64(made), -1), 3)},
    histograms,
]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.filterwarnings("error")
def test_measures_of_features(measure):
    measured = 0
    for (real_name, real), (made_name, made) in itertools.product(FEATURES.items(), repeat=2):
        try:
            found = {name: interval(estimate, 0, 50) for name, estimate in measure(real, made).items()}
        except UserError:
            continue
        for name, (value, low, high) in found.items():
            where = f"{name} of {made_name} against {real_name}: {value} [{low}, {high}]"
            assert all(map(math.isfinite, (value, low, high))) and low <= value <= high, where
            assert low >= 0 or name == "kid", where
            assert high <= 1 or name not in SHARES, where
            measured += 1
    assert measured > 20


TEXTS = [[], ["ab"], ["", ""], ["abcabc"] * 3, ["a", "b"], ["", "aaaaaaaaaaaaaaa", "b c d"], ["天地玄黄宇宙洪荒"] * 2]


@pytest.mark.parametrize(
    "measure",
    [
        lambda training, made: texts.distinct(made, 1),
        lambda training, made: texts.distinct(made, 4),
        lambda training, made: texts.copy_rate(made, training, 5),
        lambda training, made: texts.distinct([texts.words(text) for text in made], 1),
        lambda training, made: texts.self_bleu(made, "char"),
        lambda training, made: translation.exact(made, training),
        lambda training, made: verse.form_rate(made),
        lambda training, made: verse.rhyme_rate(made),
        lambda training, made: verse.unknown_rate(made),
    ],
)
def test_measures_of_texts_are_shares(measure):
    measured = 0
    for training, made in itertools.product(TEXTS, repeat=2):
        try:
            value, low, high = interval(measure(training, made), 0, 50)
        except UserError:
            continue
        assert 0 <= low <= value <= high <= 1, (training, made, value, low, high)
        measured += 1
    assert measured > 10


def test_an_interval_has_nothing_that_the_measure_cannot_be():
    skewed = np.array([-0.05] * 19 + [0.95])
    assert interval(Estimate(0.97, skewed, 0, 1), 0).high == 1
    assert interval(Estimate(0.97, skewed), 0).high > 1
    for value in (np.nan, np.inf):
        with pytest.raises(UserError, match=f"it is {value} for these samples"):
            interval(mean(np.array([1.0, value])) if np.isnan(value) else Estimate(value, np.zeros(2)), 0)


def test_a_class_that_no_real_sample_has_is_an_infinite_divergence():
    kl, js = scores.histogram_divergences(np.array([3, 0]), np.array([2, 1]), np.array([0, 0, 1]))
    with pytest.raises(UserError, match="it is inf"):
        interval(kl, 0)
    assert 0 < interval(js, 0).high <= math.log(2)


@pytest.mark.parametrize("side", [8, 28])
def test_equal_images_have_no_psnr_though_rounding_gives_them_one(side):
    images = np.random.RandomState(1).randint(0, 256, (5, side, side, 3), np.uint8)
    with pytest.raises(UserError, match="5 of 5 pairs are of equal images"):
        similarity.psnr(images, images)
