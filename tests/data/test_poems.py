"""Couplets and poets: what is cut from poems, what is left out, and on which side of the splits it is."""

import numpy as np
import pytest
from small.couplets import QUOTED, verse, write_poems

from aigc_jax.data import catalogue, poems
from aigc_jax.data.sets import couplets, poet, tang_labels, tang_poems
from aigc_jax.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_poems(tmp_path_factory.mktemp("poems"))


@pytest.mark.parametrize(
    "text, found",
    [
        ("白日依山盡，黃河入海流。", [("白日依山盡", "黃河入海流")]),
        (
            "床前明月光，疑是地上霜。舉頭望明月？低頭思故鄉！",
            [("床前明月光", "疑是地上霜"), ("舉頭望明月", "低頭思故鄉")],
        ),
        ("葡萄美酒夜光杯，欲飲琵琶馬上催。", [("葡萄美酒夜光杯", "欲飲琵琶馬上催")]),
        ("關關雎鳩，在河之洲。", []),  # four characters
        ("白日依山盡，欲飲琵琶馬上催。", []),  # five and seven
        ("白日依山盡，黃河入海流，欲窮千里目。", []),  # three lines
        ("", []),
    ],
)
def test_couplets_are_two_lines_of_one_metre(text, found):
    assert couplets.couplets(text) == found


def test_no_line_of_a_held_out_couplet_is_in_training(folder):
    splits, counts = couplets.read_splits(str(folder), "next", "tang")
    assert (counts["found"], counts["left_out"], counts["others"]) == (122, 1, 31)
    assert all(splits[split] for split in ("train", "validation", "test"))
    for column in couplets.COLUMNS:
        seen = {record[column] for record in splits["train"]}
        assert seen.isdisjoint(record[column] for split in ("validation", "test") for record in splits[split])
    everything = [f"{r['source']}，{r['target']}。" for split in splits.values() for r in split]
    assert sorted(everything) == sorted([*map(verse, range(240)), QUOTED])  # each is there once
    assert counts["repeated"] + counts["seen"] == 30 + 2
    texts, _ = couplets.read_splits(str(folder), "couplet", "tang")
    assert texts["test"] == [f"{record['source']}，{record['target']}。" for record in splits["test"]]


def test_the_most_prolific_known_poets_are_the_classes(folder):
    splits, counts = tang_labels.read_splits(str(folder), 2)
    labels = {record["label"] for split in splits.values() for record in split}
    assert len(labels) == 2 and "李白" in labels and "不詳" not in labels
    assert counts["repeated"] == 1 and counts["nobody"] == 15
    kept = sum(map(len, splits.values()))
    assert kept + counts["nobody"] + counts["others"] + counts["repeated"] == counts["found"] - counts["left_out"]
    shares = tang_labels.majority(splits)
    train = [record["label"] for record in splits["train"]]
    assert shares["train"] == train.count("李白") / len(train) > 0.7
    poets = tang_labels.frequent([{"label": name} for name in "aabbbcd"], 3)
    assert poets == ["b", "a", "c"]


def test_the_sets_load(folder, tmp_path):
    def load(name, **settings):
        section = dict(name=name, path=str(folder), length=20, vocabulary_size=0) | settings
        return catalogue.load(section, tmp_path / "prepared")

    lines = load("couplets", what="next", tokenizer="bytes")
    row = lines.splits["test"][np.arange(1)]
    splits, _ = couplets.read_splits(str(folder), "next", "tang")
    assert {name: lines.fields[name].values(row[name])[0] for name in row} == splits["test"][0]
    assert "122 poems, of which 1 are left out" in lines.notes[0] and "no couplets" in lines.notes[1]
    assert load("couplets", what="couplet", pack=True).made.packed
    poets = load("tang_labels", poets=2)
    assert poets.target == "label" and poets.made.names[0] == "李白" and "李白, is right of train" in poets.notes[1]
    with pytest.raises(UserError, match=r"no poet.song.\*.json .*npm pack chinese-poetry"):
        load("couplets", what="next", dynasty="song")
    assert poems.state(poems.listed(str(folder), "tang"), "1") != poems.state(poems.listed(str(folder), "tang"), "2")


def test_the_poems_of_a_poet_are_on_the_sides_where_all_poems_have_them(folder):
    own, counts = poet.read_splits(str(folder), "李白", "tang")
    everyone, _ = tang_poems.read_splits(poems.listed(str(folder), "tang"))
    for split, texts in own.items():
        assert texts and set(texts) < set(everyone[split])
    assert counts["others"] == sum(map(len, everyone.values())) - sum(map(len, own.values()))


def test_a_poet_of_no_poems_is_told_those_who_have_some(folder):
    with pytest.raises(
        UserError, match=r'data.poet: "韓愈" has too few poems in .* \(0\). Those with the most: 李白, '
    ):
        poet.read_splits(str(folder), "韓愈", "tang")
