"""Of a network that starts from another one, some weights may begin with random numbers."""

import time

import jax
import numpy as np
import pytest
from support import load_config

from aigc_jax.build import build
from aigc_jax.errors import ConfigError
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

PATTERN = "^positions/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run of a tiny GPT."""
    config = {**load_config("gpt_sentences", "tiny"), "evals": {}}
    config["train"] = {**config["train"], "steps": 2}
    workdir = Workdir(tmp_path_factory.mktemp("run") / "run")
    loop.train(build(config, devices=jax.devices()[:1]), workdir, time.time())
    return workdir.folder


def starting(folder, fresh, **network):
    config = {**load_config("gpt_sentences", "tiny"), "evals": {}}
    net = {**config["networks"]["net"], "start": folder and f"run:{folder}#net", "fresh": fresh, **network}
    return {**config, "networks": {"net": net}}


def first(config):
    return build(config, devices=jax.devices()[:1]).programs.init().params["net"]


def test_they_are_those_of_a_network_that_starts_from_nothing(folder):
    begun, there, own = (first(starting(*each)) for each in ((folder, PATTERN), (folder, ""), ("", "")))
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in jax.tree.leaves_with_path(begun)]
    for path, *each in zip(paths, *map(jax.tree.leaves, (begun, there, own)), strict=True):
        np.testing.assert_array_equal(each[0], each[2] if path.startswith("positions/") else each[1], err_msg=path)
    assert not np.array_equal(there["positions"]["embedding"], own["positions"]["embedding"])
    jax.tree.map(np.testing.assert_array_equal, first(starting("", PATTERN)), own)  # all is fresh that starts nowhere


def test_a_line_says_which_they_are(folder):
    notes = build(starting(folder, PATTERN), devices=jax.devices()[:1]).data.notes
    said = [note for note in notes if note.startswith(f"networks.net starts from run:{folder}#net, but for")]
    assert len(said) == 1 and PATTERN in said[0]
    assert not any("starts from" in note for note in build(starting("", PATTERN), devices=jax.devices()[:1]).data.notes)


def test_they_may_be_of_another_shape(folder):
    """A model of longer texts begins with all else of the shorter ones'."""
    there, found = first(starting(folder, "")), first(starting(folder, PATTERN, length=40))
    assert found["positions"]["embedding"].shape[0] == 40 > there["positions"]["embedding"].shape[0]
    np.testing.assert_array_equal(found["embedding"]["embedding"], there["embedding"]["embedding"])
    with pytest.raises(ConfigError, match="positions/embedding is float32"):
        first(starting(folder, "", length=40))


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        ("^head/", '"networks.net.fresh" is "^head/", and is in no path of a weight: '),
        ("(", "networks.net.fresh"),
    ],
)
def test_what_begins_nothing_is_refused(folder, fresh, said):
    with pytest.raises(ConfigError) as error:
        first(starting(folder, fresh))
    assert said in str(error.value)
