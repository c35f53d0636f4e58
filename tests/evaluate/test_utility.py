"""Curves whose ends are known: more real data in place of synthetic, labels that say nothing; and honest intervals."""

import json

import flax.linen as nn
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.evaluate.utility import Labelled, crossed, curve, load
from aigc_jax.learner import Learner
from aigc_jax.methods.classifier import classifier

STEPS, BATCH = 150, 64


class Linear(nn.Module):
    """The smallest classifier: it learns digits in a second."""

    @nn.compact
    def __call__(self, images, train=False):
        features = images.reshape(len(images), -1)
        return features, nn.Dense(10)(features)


def method():
    return classifier({"net": Learner("net", Linear(), optax.adam(1e-2), {}, 1)}, smoothing=0.0, classes=10)


@pytest.fixture(scope="module")
def digits():
    """(600 examples, 600 others, 597 to test with)."""
    found = load_digits()
    images = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    mixed = np.random.RandomState(0).permutation(1797)
    return [Labelled(images[rows], found.target[rows].astype(np.int32)) for rows in np.split(mixed, [600, 1200])]


def points(digits, synthetic, budgets, seeds=3):
    real, _, test = digits
    found = curve(method(), STEPS, BATCH, real, synthetic, test, budgets, seeds)
    return {(point.source, point.budget): point for point in found}


def test_more_real_data_are_worth_as_much_as_real_data(digits):
    real, other, test = digits
    found = points(digits, other, [100, 0])
    whole = Labelled(*(np.concatenate(pair) for pair in zip(real, other, strict=True)))
    every = next(point for point in curve(method(), STEPS, BATCH, whole, other, test, [0], 3) if point.source == "real")
    assert found["both", 0].examples == every.examples == 1200
    assert found["both", 0].accuracy == pytest.approx(every.accuracy, abs=0.02)
    assert found["both", 100].examples == 700
    assert found["synthetic", 0].accuracy.value == pytest.approx(found["real", 0].accuracy.value, abs=0.03)
    assert found["synthetic", 100].accuracy.value == pytest.approx(found["real", 100].accuracy.value, abs=0.06)
    assert found["both", 100].accuracy.value > found["real", 100].accuracy.high
    assert all(0 < point.accuracy.low < point.accuracy.value < point.accuracy.high < 1 for point in found.values())


def test_labels_that_say_nothing_teach_nothing(digits):
    _, other, _ = digits
    shuffled = Labelled(other.images, np.random.RandomState(1).permutation(other.labels))
    found = points(digits, shuffled, [0])
    assert found["synthetic", 0].accuracy.value < 0.3
    assert found["both", 0].accuracy.value < found["real", 0].accuracy.low


@pytest.mark.parametrize("spread", [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)])
def test_intervals_cover_the_mean_over_trainings_and_examples(spread):
    """Of 3 trainings on 80 examples: each moves the mean, by shares of the variance that go from none to all."""
    random = np.random.RandomState(2)
    trainings, examples = np.sqrt(spread)
    covered = []
    for _ in range(1000):
        table = 0.02 * trainings * random.randn(3, 1) + 0.2 * examples * random.randn(1, 80)
        _, low, high = crossed(0.5 + table + 0.05 * random.randn(3, 80))
        covered.append(low <= 0.5 <= high)
    assert 0.94 <= np.mean(covered) <= 0.995


@pytest.mark.long(part="statistics")
def test_intervals_cover_on_repeats(digits):
    """30 curves of other seeds, test examples redrawn: 95 % intervals hold the mean of all but a few."""
    real, other, test = digits
    found = []
    for repeat in range(30):
        rows = np.random.RandomState(repeat).permutation(600)[:200]
        some = np.random.RandomState(repeat).permutation(len(test.labels))[:300]
        part = Labelled(real.images[rows], real.labels[rows])
        held = Labelled(test.images[some], test.labels[some])
        found.append(curve(method(), STEPS, BATCH, part, other, held, [50], 3)[1].accuracy)  # synthetic
    middle = np.mean([each.value for each in found])
    assert np.mean([each.low <= middle <= each.high for each in found]) >= 0.9


def test_the_command_prints_a_table_and_draws_a_curve(digits, tmp_path, capsys):
    _, other, _ = digits
    made = tmp_path / "made.npz"
    np.savez(made, image=other.images, label=other.labels)
    config = tmp_path / "small.py"
    config.write_text(
        'from pathlib import Path\nimport runpy\n\n\ndef get_config(size="full"):\n'
        '    return runpy.run_path("configs/classifier_digits.py")["get_config"]("tiny")\n',
        "utf-8",
    )
    out = tmp_path / "out"
    main(["utility", str(made), f"--config={config}", "--budgets", "20", "0", "--seeds=2", f"--out={out}"])
    printed = capsys.readouterr().out
    assert printed.count(" examples\n") == 6 and "both" in printed
    record = json.loads((out / "utility.json").read_text("utf-8"))
    assert [(row["source"], row["budget"], row["examples"]) for row in record] == [
        ("real", 20, 20), ("synthetic", 20, 20), ("both", 20, 620),
        ("real", 0, 1437), ("synthetic", 0, 600), ("both", 0, 2037),
    ]  # fmt: skip
    assert (out / "utility.svg").read_text("utf-8").count("<circle") == 6


def test_what_cannot_be_compared_is_refused(digits, tmp_path):
    real, other, _ = digits
    with pytest.raises(UserError, match="multiple of 10"):
        points(digits, other, [55])
    with pytest.raises(UserError, match="takes 100: make more"):
        points(digits, other, [1000])
    with pytest.raises(UserError, match="two of them at least"):
        points(digits, other, [20], seeds=1)
    with pytest.raises(UserError, match="A synthetic label is 10"):
        points(digits, Labelled(other.images, other.labels + 1), [20])
    with pytest.raises(UserError, match="bring them to one size"):
        points(digits, Labelled(other.images[:, 1:], other.labels), [20])
    np.savez(tmp_path / "a.npz", image=real.images, label=real.labels.astype(np.float32))
    with pytest.raises(UserError, match="labels have to be integers"):
        load(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", real.images)
    with pytest.raises(UserError, match='no arrays "image" and "label"'):
        load(tmp_path / "b.npy")


@pytest.mark.parametrize("name", ["ddpm_digits", "gpt_fashion_mnist"])
def test_a_model_that_generates_is_no_yardstick(digits, tmp_path, name):
    real, _, _ = digits
    np.savez(tmp_path / "made.npz", image=real.images, label=real.labels)
    with pytest.raises(ConfigError, match=f"{name}:tiny configures a model that generates"):
        main(["utility", str(tmp_path / "made.npz"), f"--config={name}:tiny", "--out", str(tmp_path / "out")])
