"""Labels and tags that are said, held against the true ones."""

import numpy as np
import pytest

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.tags import Tags, names_of
from aigc_jax.data.given import Asked
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate.judge import build_judge


def measured(field, name, true, said, measures):
    data = DataSet("small", {"train": ArraySource({name: true})}, {name: field}, name)
    judge = build_judge(data, "train", "test", len(said), measures, "", None, None)
    with pytest.raises(ConfigError, match="needs the true targets.*given=split:test"):
        judge.check(Asked({}, None, []))
    judge.check(Asked({}, true, []))
    looks = [judge.look({name: said[part], TRUTH: true[part]}) for part in (slice(0, 1), slice(1, None))]
    figures = {figure.protocol.measure: figure.interval.value for figure in judge.figures(looks, 0)}
    assert tuple(figures) == judge.names
    assert not judge.figures([judge.look({name: said})], 0) and "needs the true" in judge.left_out[0]
    return figures


def test_labels():
    true, said = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    found = measured(Label(("甲", "乙")), "label", true, said, ("accuracy", "macro_f1"))
    assert found == {"accuracy": pytest.approx(0.75), "macro_f1": pytest.approx((0.8 + 2 / 3) / 2)}


def test_tags_of_words_alone():
    """What is said of tokens with which no word begins counts for nothing."""
    field = Tags(names_of(("key",)), 4)
    o, b, i = 0, 1, 2
    true = np.array([[-1, b, -1, i, o], [-1, o, b, o, -1]], np.int16)
    said = np.array([[-1, b, b, i, o], [-1, b, b, o, b]], np.int16)
    found = measured(field, "tags", true, said, ("entities",))
    assert found["entity_precision"] == pytest.approx(2 / 3) and found["entity_recall"] == pytest.approx(1)
    assert found["entity_f1"] == pytest.approx(0.8)
    said[0, 4] = -1  # a word that nothing is said of is no entity
    assert measured(field, "tags", true, said, ("entities",)) == found
