"""What a run's numbers mean is kept with it: used for changed texts, held against changed classes, enough to sample."""

import dataclasses
import json
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support import load_config

import aigc_jax
from aigc_jax.build import build
from aigc_jax.data import catalogue, meaning
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.meaning import Meaning
from aigc_jax.errors import UserError
from aigc_jax.sources import remarks
from aigc_jax.train import loop, trained
from aigc_jax.train.workdir import Workdir

SETS = {
    "digits": {},
    "sentences": {"length": 24},
    "points": {"density": "ring", "examples": 10},
    "labels": {"name": "digits", "target": "label"},
}


@pytest.mark.parametrize("name", SETS)
def test_fields_are_made_again_from_what_is_kept(name):
    data = catalogue.load({"name": name, **SETS[name]}, None)
    kept = Meaning.read(Meaning.of(data).written())
    assert kept == Meaning.of(data)
    again = meaning.recalled(kept)
    assert again.facts == data.facts and again.name == data.name and set(again.splits) == set(data.splits)
    assert again.target == data.target and not again.at_hand and data.at_hand
    for field in data.fields:
        assert meaning.described(again.fields[field]) == meaning.described(data.fields[field])
    first = np.zeros(1, np.int64)
    row, zero = data.splits["train"][first], again.splits["train"][first]
    assert {k: (v.shape, v.dtype) for k, v in row.items()} == {k: (v.shape, v.dtype) for k, v in zero.items()}
    key = jax.random.key(0)
    seen, expected = again.prepare(key, zero, True), data.prepare(key, row, True)
    assert jax.tree.map(jnp.shape, seen) == jax.tree.map(jnp.shape, expected)
    unchanged = meaning.under(data, kept)
    assert unchanged.changed == () and unchanged.fields is data.fields


def write(folder, name, letters, count):
    folder.mkdir(exist_ok=True)
    texts = ["".join(np.random.RandomState(i).choice(list(letters), 12)) for i in range(count)]
    (folder / name).write_text("\n\n".join(texts), "utf-8")


def text_config(folder):
    config = load_config("gpt_text", "tiny")
    return {**config, "data": {**config["data"], "path": str(folder), "documents": "blank_lines"}}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """(work directory of a run on letters a to d, its configuration, its texts, to which others came later)."""
    base = tmp_path_factory.mktemp("grown")
    write(base / "texts", "a.txt", "aaaabbbccd", 60)
    config, workdir = text_config(base / "texts"), Workdir(base / "run")
    loop.train(build(config, kept=workdir.kept()), workdir, time.time())
    before = build(config, kept=workdir.kept())
    assert before.data.changed == ()
    write(base / "texts", "b.txt", "ddddddddccxyz", 80)
    return workdir, config, before


@pytest.fixture
def copy(grown, tmp_path):
    shutil.copytree(grown[0].folder, tmp_path / "run")
    return Workdir(tmp_path / "run")


def test_grown_texts_are_read_in_the_vocabulary_of_training(grown, copy, capsys):
    _, config, before = grown
    run = build(config, kept=copy.kept())
    assert run.data.made.model == before.data.made.model
    assert set(run.data.made.model) == set("abcd")
    assert run.data.facts == before.data.facts
    new, counts = run.data.changed
    assert "vocabulary that the run was trained with" in new and "are read as <unk>" in new
    unknown = sum(sum(c in "xyz" for text in s.texts() for c in text) for s in run.data.splits.values())
    assert unknown and f"; {unknown} characters are read as <unk>" in new
    assert f"train {len(before.data.splits['train'])} then, {len(run.data.splits['train'])} now" in counts
    np.testing.assert_array_equal(run.data.made.encode("abcdx"), [*before.data.made.encode("abcd"), 3])
    trained.sample(run, copy)
    assert "The texts are read in the vocabulary" in capsys.readouterr().out
    longer = {**config, "train": {**config["train"], "steps": 6}}
    loop.train(build(longer, kept=copy.kept()), copy, time.time())
    assert "The data changed since training" in capsys.readouterr().out
    assert copy.kept().fields == grown[0].kept().fields, "training on keeps the meaning"
    again = build(longer, kept=copy.kept())
    assert len(again.data.changed) == 1, "and remembers the texts that it was trained on last"
    copy.data.write_text(grown[0].data.read_text())
    loop.train(build(longer, kept=copy.kept()), copy, time.time())
    assert copy.kept() == grown[0].kept(), "with nothing to train it has been trained on no others"


def test_a_run_built_without_what_is_kept_is_refused(grown, copy):
    run = build(grown[1])
    for use in (lambda: loop.train(run, copy, time.time()), lambda: trained.sample(run, copy)):
        with pytest.raises(UserError, match=r"another vocabulary .*kept=Workdir"):
            use()


def test_texts_that_changed_in_no_character_are_said_to_have_changed(tmp_path):
    write(tmp_path / "texts", "a.txt", "abcd", 60)
    section = dict(
        name="text_folder", path=str(tmp_path / "texts"), documents="blank_lines", length=8, vocabulary_size=0
    )
    kept = Meaning.of(catalogue.load(section, None))
    text = (tmp_path / "texts/a.txt").read_text()
    (tmp_path / "texts/a.txt").write_text(text[::-1])
    (said,) = meaning.under(catalogue.load(section, None), kept).changed[-1:]
    assert "The data changed since training, in examples: train " in said


def test_a_run_from_before_is_used_and_a_damaged_file_named(grown, copy):
    copy.data.unlink()
    assert copy.kept() is None
    for content in ("", "[]", "3", '{"name": 1, "fields": 1, "target": 1, "example": 1, "splits": 1}'):
        copy.data.write_text(content)
        with pytest.raises(UserError, match=r"data\.json cannot be read"):
            copy.kept()
    copy.data.write_text('{"name": "x", "medium": {}, "facts": {}, "example": {}, "splits": {}}')
    with pytest.raises(UserError, match=r"another version of aigc_jax \(data\.json lacks 'fields'\): .*start=run:"):
        copy.kept()


def write_classes(folder, *names):
    shutil.rmtree(folder, ignore_errors=True)
    for number, name in enumerate(names):
        for i in range(8):
            path = folder / "train" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.RandomState(10 * number + i).randint(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (("birds", "cats", "dogs"), "has birds besides"),
        (("cats",), "lacks dogs"),
        (("birds", "cats"), "has birds besides and lacks dogs"),
    ],
)
def test_other_classes_are_refused_by_name(tmp_path, now, said):
    section = dict(name="image_folder", path=str(tmp_path / "images"), image_size=8, colour=True, augment=())
    write_classes(tmp_path / "images", "cats", "dogs")
    kept = Meaning.of(catalogue.load(section, None))
    write_classes(tmp_path / "images", *now)
    with pytest.raises(UserError, match=f"the classes cats, dogs, and .* {said}: .*another --workdir"):
        meaning.under(catalogue.load(section, None), kept)


def test_classes_in_another_order_are_refused():
    data = catalogue.load({"name": "digits"}, None)
    kept = Meaning.of(data)
    turned = {**data.fields, "label": Label(data.fields["label"].names[::-1])}
    with pytest.raises(UserError, match="in another order"):
        meaning.check(dataclasses.replace(data, fields=turned), kept)
    assert json.loads(kept.written())["fields"]["label"]["names"][0] == "0"


def test_a_run_is_loaded_without_its_texts(tmp_path):
    write(tmp_path / "texts", "a.txt", "abcd", 60)
    config, folder = text_config(tmp_path / "texts"), tmp_path / "run"
    loop.train(build(config, devices=jax.devices()[:1]), Workdir(folder), time.time())
    expected = aigc_jax.load(folder).sample(2, given="ab", seed=1)
    shutil.rmtree(tmp_path / "texts")
    np.testing.assert_array_equal(aigc_jax.load(folder).sample(2, given="ab", seed=1), expected)
    assert all(text.startswith("ab") for text in expected)


def test_data_without_a_field_of_that_name_are_no_other_classes():
    """Such as of a text encoder that images are generated with."""
    digits, texts = (
        catalogue.load(section, None) for section in ({"name": "digits"}, {"name": "sentences", "length": 24})
    )
    assert meaning.difference(digits, Meaning.of(texts)) == meaning.difference(texts, Meaning.of(digits)) == ""


@pytest.mark.parametrize(
    ("network", "said"), [({"label_classes": 10}, True), ({"label_classes": 0}, False), ({}, False)]
)
def test_a_frozen_network_of_other_classes_is_named(tmp_path, network, said):
    data = catalogue.load({"name": "digits"}, None)
    other = dataclasses.replace(data, fields={**data.fields, "label": Label(("a", *"123456789"))})
    workdir = Workdir(tmp_path)
    workdir.record({"method": {}}, {"net": network})
    workdir.keep(other)
    config = {"networks": {}, "frozen": {"codec": {"weights": f"run:{tmp_path}#net"}}}
    lines = list(remarks(config, data))
    assert lines == (
        [
            "Not the same to frozen.codec: it was trained on the classes a, 1, 2, 3, 4, 5, 6, 7 and 2 more, and digits "
            "has 0 besides and lacks a."
        ]
        if said
        else []
    )
    assert list(remarks(config, other)) == []
