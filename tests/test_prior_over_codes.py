"""A prior over the codes of a quantiser (van den Oord et al. 2017, section 3.3), by a codec and a network alone."""

import numpy as np
import pytest
from printing import standing, trained_in
from support import load_config

CODEC = '''
"""The codes of a trained quantiser as tokens, row by row."""

import jax.numpy as jnp

from aigc_jax.method import Codec
from aigc_jax.ops.bits import Unit

FROZEN = ("codec",)


def codes(facts, /, *, frozen):
    net = frozen["codec"]
    bos = net.codes

    def encode(key, frozen, target):
        tokens = net.apply(frozen["codec"], target, method="quantise").reshape(len(target), -1)
        return jnp.concatenate([jnp.full_like(tokens[:, :1], bos), tokens], axis=1)

    def decode(frozen, encoded):
        return net.apply(frozen["codec"], encoded[:, 1:].reshape(-1, *net.grid), method="paint")

    length = net.grid[0] * net.grid[1]
    units = (Unit("code", (1,) * (bos + 1)),)
    found = dict(vocabulary=bos + 1, length=length, pad=bos, bos=bos, eos=-1, packed=False, units=units)
    return Codec(found, encode, decode)
'''

NETWORK = '''
"""A quantiser of the mean level of each quarter of an image."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from aigc_jax.ranges import Size


class Quarters(nn.Module):
    shape: tuple[Size, Size, Size]
    codes: Size
    dtype: Any = jnp.float32

    grid = (2, 2)

    def setup(self):
        self.levels = self.param("levels", lambda key: jnp.linspace(-1, 0.5, self.codes))

    def quantise(self, images):
        height, width, channels = self.shape
        blocks = images.reshape(-1, 2, height // 2, 2, width // 2, channels)
        means = blocks.mean((2, 4, 5))
        return jnp.argmin(jnp.abs(means[..., None] - self.levels), -1).astype(jnp.int32)

    def paint(self, codes):
        height, width, channels = self.shape
        image = self.levels[codes].repeat(height // 2, axis=1).repeat(width // 2, axis=2)
        return jnp.broadcast_to(image[..., None], (*image.shape, channels))

    def __call__(self, images):
        return self.paint(self.quantise(images))

    @nn.nowrap
    def example(self):
        return (jnp.zeros((1, *self.shape)),), {}
'''
CODES = 4


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    with standing(folder) as write:
        write("aigc_jax/codecs/codes.py", CODEC)
        write("aigc_jax/nn/quarters.py", NETWORK)
        config = load_config("gpt_sentences", "tiny")
        config["data"] = {"name": "digits", "batch_size": 64}
        config["codec"] = {"name": "codes"}
        config["frozen"] = {"codec": {"weights": "fresh:0", "name": "quarters.Quarters", "codes": CODES}}
        config["optimizers"]["net"] |= {"learning_rate": 0.01, "warmup_steps": 0, "schedule": "linear"}
        config["train"] |= {"steps": 400, "log_every": 200}
        config["checkpoint"] |= {"every": 400}
        config["evaluate"] |= {"every": 400, "batches": 0, "batch_size": 256, "split": "train"}
        yield trained_in(folder, config)


def found_codes(images):
    """Of images uint8 [n, 8, 8, 1]: int [n, 4], by the mean of each quarter."""
    means = (images / 127.5 - 1).reshape(-1, 2, 4, 2, 4).mean((2, 4)).reshape(-1, 4)
    return np.argmin(np.abs(means[..., None] - np.linspace(-1, 0.5, CODES)), -1)


def test_it_comes_close_to_the_entropy_of_the_codes(trained):
    """No model of the training split's codes has fewer bits than their entropy, and there are 256 of them at most."""
    run, state = trained
    codes = found_codes(run.data.splits["train"].arrays["image"])
    _, counts = np.unique(codes, axis=0, return_counts=True)
    share = counts / counts.sum()
    entropy = -np.sum(share * np.log2(share)) / 4
    bits = run.measure(state)["bits_per_code"]
    assert entropy < bits < entropy + 0.1
    alone = np.mean(
        [
            -np.sum(p * np.log2(p, where=p > 0, out=np.zeros_like(p)))
            for p in (np.bincount(column, minlength=CODES) / len(codes) for column in codes.T)
        ]
    )
    assert bits < alone, "codes are told from those before them"


def test_samples_are_images_that_the_quantiser_paints(trained):
    run, state = trained
    rows = next(run.samples(state, 64, 1))["image"]
    assert rows.shape == (64, 8, 8, 1) and rows.dtype == np.uint8
    quarters = rows.reshape(-1, 2, 4, 2, 4)
    assert np.all(quarters == quarters[:, :, :1, :, :1])
    known = {tuple(code) for code in found_codes(run.data.splits["train"].arrays["image"]).tolist()}
    made = [tuple(code) for code in found_codes(rows).tolist()]
    assert len(set(made)) > 10 and np.mean([code in known for code in made]) > 0.8
