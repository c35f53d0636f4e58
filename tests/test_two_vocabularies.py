"""Texts that are generated from texts of another vocabulary, by files alone: a data set and a network."""

import numpy as np
import pytest
from printing import standing, trained_in
from support import load_config

from aigc_jax.errors import UserError
from aigc_jax.train.workdir import Workdir

SET = '''
"""Words of small letters, and the same words backwards in capitals."""

import numpy as np

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.texts import Text
from aigc_jax.ranges import Size


def load(*, length: Size):
    source, target = Text("abcd", length), Text("ABCDE", length)

    def split(count, seed):
        random = np.random.RandomState(seed)
        words = ["".join(random.choice(list("abcd"), 3)) for _ in range(count)]
        return ArraySource({"source": source.windows(words), "text": target.windows([w[::-1].upper() for w in words])})

    fields = {"source": source, "text": target}
    return DataSet("backwards", {"train": split(512, 0), "test": split(8, 1)}, fields, "text")
'''

NETWORK = '''
"""A decoder of one layer that reads all tokens of its source, and its own place, and no earlier token."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.ranges import Size


class Reader(nn.Module):
    vocabulary: Size
    source_vocabulary: Size
    length: Size
    width: Size
    dtype: Any = jnp.float32

    reads = ("source",)

    def setup(self):
        self.source = nn.Embed(self.source_vocabulary, self.width)
        self.places = nn.DenseGeneral((self.length, self.width))
        self.out = nn.Dense(self.vocabulary)

    def __call__(self, tokens, *, causal, train, given):
        return self.decode(tokens, (), 0, self.read(given))[0]

    def read(self, given):
        seen = self.source(given["source"])
        return self.places(seen.reshape(len(seen), -1))

    def decode(self, tokens, cache, index, read):
        return self.out(jax.lax.dynamic_slice_in_dim(read, index, tokens.shape[1], axis=1)), cache

    @nn.nowrap
    def empty_cache(self, batch, room):
        return ()

    @nn.nowrap
    def longer(self, cache, room):
        return cache
'''


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    with standing(folder) as write:
        write("aigc_jax/data/sets/backwards.py", SET)
        write("aigc_jax/nn/reader.py", NETWORK)
        config = load_config("gpt_sentences", "tiny")
        config["data"] = {"name": "backwards", "length": 5, "batch_size": 64}
        config["networks"] = {"net": {"name": "reader.Reader", "width": 16}}
        config["optimizers"]["net"] |= {"learning_rate": 0.03, "warmup_steps": 0, "schedule": "constant"}
        config["train"] |= {"steps": 200, "log_every": 100}
        config["checkpoint"] |= {"every": 200}
        config["evaluate"] |= {"every": 200}
        config["sample"] |= {"given": "split:test", "temperature": 0.0}
        yield *trained_in(folder, config), Workdir(folder / "run")


def texts(run, state, given):
    rows = next(run.given(given).samples(state, 8, 1))
    return [run.data.fields[name].values(rows[name]).tolist() for name in ("source", "text")]


def test_each_vocabulary_is_the_one_of_its_texts(trained):
    run, _, workdir = trained
    assert run.data.facts["vocabulary"] == 9 and run.data.facts["source_vocabulary"] == 8
    fields = workdir.kept().fields
    assert fields["text"]["model"] == "ABCDE" and fields["source"]["model"] == "abcd"


def test_samples_are_what_was_learnt_of_their_sources(trained):
    run, state, _ = trained
    for given in ("split:test", "source=dab"):
        sources, found = texts(run, state, given)
        assert found == [source[::-1].upper() for source in sources], given
    assert run.measure(state)["bits_per_char"] < 0.1
    with pytest.raises(UserError, match='"x".* is not in the vocabulary'):
        run.given("source=xa").asked(1)
    with pytest.raises(UserError, match="could be any of known, source"):
        run.given("dab").asked(1)


def test_a_beginning_may_be_known_beside_a_source(trained):
    run, state, _ = trained
    sources, found = texts(run, state, "known=E;source=dab")
    assert set(sources) == {"dab"} and set(found) == {"EAD"}


def test_the_samples_of_a_page_have_their_sources_beside_them(trained, tmp_path):
    run, state, _ = trained
    files = run.write_samples(state, tmp_path / "page", keep=True)
    assert [path.name for path in files] == ["page.txt", "page.jsonl", "page.given.jsonl"]
    assert np.all([line.startswith('{"source": "test:') for line in files[2].read_text("utf-8").splitlines()])
