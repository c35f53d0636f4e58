"""The training example nearest to a sample, the longest stretch that is copied, and what measures mean."""

import numpy as np
import pytest

from aigc_jax.metrics.meanings import meaning
from aigc_jax.metrics.memorisation import longest_shared, nearest_of


def test_the_nearest_of_all_chunks_by_grey_levels():
    random = np.random.RandomState(0)
    train, queries = (random.randint(0, 256, (n, 5, 4, 3), np.uint8) for n in (50, 7))
    queries[3] = train[31]
    numbers, distances = nearest_of(np.split(train, [20, 21]), queries)
    differences = np.float64(queries)[:, None] - np.float64(train)[None]
    expected = np.sqrt(np.square(differences).mean((2, 3, 4)))
    np.testing.assert_array_equal(numbers, expected.argmin(1))
    np.testing.assert_allclose(distances, expected.min(1))
    assert (numbers[3], distances[3]) == (31, 0)


@pytest.mark.parametrize(
    ("text", "training", "shared"),
    [
        ("abcxyz", "zabc abx xy", "abc"),
        ("", "abc", ""),
        ("天地", "玄黄", ""),
        ("abab", "abab", "abab"),
        ("xbc", "abcd", "bc"),
        ("12 345", "345 12", "345"),
    ],
)
def test_the_longest_stretch(text, training, shared):
    assert longest_shared(text, training) == shared


def test_measures_say_what_they_are_and_where_they_want_to_go():
    assert meaning("FD-digits").startswith("lower is better: how far")
    assert meaning("class_FD-digits").startswith("lower is better: the mean over the classes")
    assert meaning("recall").startswith("higher is better") and "may exceed 1" in meaning("density")
    assert meaning("bound_64").startswith("higher is better") and meaning("ISO") == meaning("distortion") == ""
