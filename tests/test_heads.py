"""A network with one head starts from one with another: encoders fine-tuned, of a run and of published weights."""

import time

import jax
import numpy as np
import pytest
from random_network import written
from support import load_config, on_small_data

from aigc_jax import published
from aigc_jax.build import build
from aigc_jax.nn.bert import Bert
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

TOKENS = np.zeros((1, 4), np.int32)


def tiny(name, **sections):
    config = {**on_small_data(load_config(name, "tiny")), "evals": {}}
    return {**config, **{key: {**config[key], **values} for key, values in sections.items()}}


def built(config):
    return build(config, devices=jax.devices()[:1])


def with_network(config, **fields):
    return {**config, "networks": {"net": {**config["networks"]["net"], **fields}}}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A run of masked texts."""
    config = tiny("bert_tang", train={"steps": 2}, checkpoint={"best": "", "every": 2}, evaluate={"every": 0})
    config = with_network(config, layers=1)
    workdir = Workdir(tmp_path_factory.mktemp("run") / "run")
    loop.train(built(config), workdir, time.time())
    return workdir.folder


def test_an_encoder_of_masked_texts_becomes_one_of_labels(pretrained):
    """With the run's characters; what belongs to a head is fresh, and a line says so."""
    config = tiny("bert_classify", data={"tokenizer": f"run:{pretrained}"})
    run, alone = built(with_network(config, start=f"run:{pretrained}#net")), built(config)
    kept = built({**tiny("bert_tang"), "networks": with_network(tiny("bert_tang"), layers=1)["networks"]})
    assert run.data.fields["text"].model == kept.data.fields["text"].model
    assert any(note.startswith(f"networks.net starts from run:{pretrained}#net, but") for note in run.data.notes)
    found, own = (each.programs.init().params["net"] for each in (run, alone))
    assert found.keys() == own.keys() and "word_bias" not in found
    for name in found:
        same = all(map(np.array_equal, jax.tree.leaves(found[name]), jax.tree.leaves(own[name])))
        assert same == (name in ("pooler", "labels")), name


def test_a_published_encoder_becomes_one_of_labels(tmp_path):
    """`minilm_modules` with one flag: sizes are those of the folder, labels those of the data."""
    fields = dict(vocabulary=400, length=16, layers=2, width=16, heads=2, dropout=0.0, head="hidden", pooled=True)
    module = Bert(**fields)
    written(tmp_path / "folder", "bert", module, fields, "bert.Bert", (TOKENS,), train=False)
    config = tiny("minilm_modules")
    section = load_config("minilm_modules")["networks"]["net"]
    run = built({**config, "networks": {"net": {**section, "start": f"file:{tmp_path / 'folder'}"}}})
    described = run.networks["net"]
    assert (described["vocabulary"], described["layers"], described["head"]) == (400, 2, "classes")
    assert described["classes"] == len(run.data.made.names) == 2
    params, theirs = run.programs.init().params["net"], published.read(tmp_path / "folder").variables()["params"]
    assert params.keys() - theirs.keys() == {"labels"} and theirs.keys() - params.keys() == {"pooler"}
    for name in params.keys() - {"labels"}:
        jax.tree.map(np.testing.assert_array_equal, params[name], theirs[name])
