"""One flag fine-tunes published weights: network, numbers and tokenizer are those of the folder."""

import json
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import load_config

import aigc_jax
from aigc_jax import published
from aigc_jax.build import build
from aigc_jax.data.tokenizers import learnt
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.experiments import recorded
from aigc_jax.nn.transformer import Transformer
from aigc_jax.sources import filled
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

FIELDS = dict(length=64, layers=1, width=16, heads=2, dropout=0.1, tied=True)
PROMPT = "我喜欢的颜色是"


def write_gpt2(folder):
    """Random weights with GPT-2's files, of single bytes."""
    model = json.loads(json.loads(learnt("bpe", lambda: ["a"], 256).model)["tokenizer"])["model"]
    names = {name: i for i, name in enumerate([*list(model["vocab"])[4:], "<|endoftext|>"])}
    fields = {**FIELDS, "vocabulary": len(names)}
    tokens = jnp.zeros((1, 4), jnp.int32)
    found = Transformer(**fields).init(jax.random.key(5), tokens, causal=True, train=False)
    published.write(folder, {"name": "transformer.Transformer", **fields}, found, "gpt2")
    (folder / "vocab.json").write_text(json.dumps(names))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return found


def configured(start, **changes):
    """gpt_finetune in full, but for fewer steps."""
    config = load_config("gpt_finetune")
    config["networks"]["net"]["start"] = start
    config["train"] |= {"steps": 4, "steps_per_call": 2, "log_every": 2}
    config["checkpoint"]["every"] = 4
    config["tracking"]["tensorboard"] = False
    return {**config, **changes}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """(the run, its folder, the weights that it began with, and where they were)."""
    folder = tmp_path_factory.mktemp("weights") / "gpt2"
    weights = write_gpt2(folder)
    run = build(configured(f"file:{folder}"), devices=jax.devices()[:1])
    workdir = Workdir(tmp_path_factory.mktemp("tuned") / "run")
    loop.train(run, workdir, time.time())
    return run, workdir, weights, folder


def test_the_network_has_the_sizes_and_the_numbers_of_the_weights(tuned):
    run, _, weights, _ = tuned
    network = run.networks["net"]
    assert {key: network[key] for key in FIELDS} == {**FIELDS, "dropout": 0.0}, "what the configuration says stands"
    assert network["vocabulary"] == 257
    jax.tree.map(np.testing.assert_array_equal, run.programs.init().params["net"], weights["params"])


def test_the_tokenizer_is_the_one_beside_them(tuned):
    run, _, _, folder = tuned
    assert run.data.made.inner.names[-1] == "<|endoftext|>" and run.data.made.vocabulary == 257
    assert run.config["data"]["tokenizer"] == f"file:{folder}"


def test_three_continuations_of_the_prompt_are_drawn_without_the_folder(tuned):
    _, workdir, _, folder = tuned
    (file,) = workdir.samples.glob("*.txt")
    assert file.read_text("utf-8").count(PROMPT) == 3
    shutil.move(folder, folder.with_name("elsewhere"))
    try:
        texts = aigc_jax.load(workdir.folder).sample(3, given=PROMPT)
    finally:
        shutil.move(folder.with_name("elsewhere"), folder)
    assert len(texts) == 3 and all(text.startswith(PROMPT) for text in texts)


def test_a_run_s_weights_bring_its_tokenizer_too(tuned):
    run, workdir, _, _ = tuned
    again = build(configured(f"run:{workdir.folder}#net"), devices=jax.devices()[:1])
    assert again.config["data"]["tokenizer"] == f"run:{workdir.folder}"
    assert again.data.made.inner.names == run.data.made.inner.names
    assert again.networks["net"] == run.networks["net"]


def test_what_is_recorded_leaves_nothing_open(tuned):
    run, workdir, _, _ = tuned
    kept = recorded(workdir.config).to_dict()
    assert kept["networks"]["net"]["name"] == "transformer.Transformer"
    assert filled(kept) is kept and filled(run.config) is run.config


@pytest.mark.parametrize(
    ("start", "section", "said"),
    [
        ("fresh:0", {}, '"networks.net.name" is "", and fresh:0 does not say what network it is: name one'),
        ("", {}, '"networks.net.start" is "", and has to be run:'),
        (None, {}, '"networks.net.start" is required'),
        (
            "fresh:0",
            {"name": "transformer.Transformer"},
            '"data.tokenizer" is "networks.net.start", and fresh:0 has none',
        ),
    ],
)
def test_weights_that_say_nothing_are_named(start, section, said):
    config = configured(start)
    config["networks"]["net"] |= section
    with pytest.raises(ConfigError, match=said):
        filled(config)


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    write_gpt2(tmp_path / "gpt2")
    (tmp_path / "gpt2" / "vocab.json").unlink()
    with pytest.raises(UserError, match="has no tokenizer.json, vocab.json"):
        build(configured(f"file:{tmp_path / 'gpt2'}"), devices=jax.devices()[:1])


def test_a_run_of_no_texts_has_no_tokenizer(tmp_path):
    with pytest.raises(UserError, match=r"there is no run in .* \(data.json is missing\): train it first"):
        learnt(f"run:{tmp_path}", list, 0)
    kept = {
        "name": "digits",
        "fields": {"image": {"name": "images.Image"}},
        "target": "image",
        "example": {},
        "splits": {},
    }
    (tmp_path / "data.json").write_text(json.dumps(kept))
    with pytest.raises(UserError, match="was trained on digits, which has no texts"):
        learnt(f"run:{tmp_path}", list, 0)
    (tmp_path / "data.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        learnt(f"run:{tmp_path}", list, 0)
