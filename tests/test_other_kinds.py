"""A kind of data that the package does not have comes with files of its own: a field and a data set, of sounds."""

import io
import time
import wave

import jax
import numpy as np
import pytest
from printing import standing
from support import load_config

from aigc_jax.build import build
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

FIELD = '''
"""Sounds."""

import io
import wave
from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from aigc_jax.data.dataset import Field
from aigc_jax.data.exhibit import Exhibit


@dataclass(frozen=True)
class Wave(Field):
    """Sounds int16 [n, length] of one channel. rate: samples a second."""

    kind: ClassVar = "waves"
    augmentations: ClassVar = {"louder": lambda key, x: 2 * x}
    length: int
    rate: int

    @property
    def facts(self):
        """shape: of a sound as networks see it; levels: none that are counted."""
        return dict(shape=(self.length, 1, 1), levels=0)

    def prepare(self, key, stored, train):
        return stored.astype(jnp.float32)[:, :, None, None] / 2**15

    def stored(self, prepared):
        return np.clip(np.rint(prepared[:, :, 0, 0] * 2**15), -(2**15), 2**15 - 1).astype(np.int16)

    def show(self, values, columns=None):
        """One after the other, with pauses of their own length."""
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(self.rate)
            sound.writeframes(np.stack([values, np.zeros_like(values)], 1).astype("<i2").tobytes())
        return Exhibit(".wav", "audio/wav", file.getvalue())
'''

SET = '''
"""Sine waves of two tones."""

import numpy as np

from aigc_jax.data.dataset import ArraySource, DataSet
from aigc_jax.data.fields.labels import Label
from aigc_jax.data.fields.waves import Wave
from aigc_jax.ranges import Size


def load(*, length: Size):
    def split(count, seed):
        label = np.arange(count, dtype=np.int32) % 2
        phase = np.random.RandomState(seed).rand(count, 1) * 2 * np.pi
        wave = np.sin(phase + np.arange(length) * np.where(label, 0.5, 1.0)[:, None])
        return ArraySource({"wave": (wave * 2**14).astype(np.int16), "label": label})

    fields = {"wave": Wave(length, 8000), "label": Label(("high", "low"))}
    return DataSet("tones", {"train": split(64, 0), "test": split(16, 1)}, fields, "wave", ("louder",))
'''


@pytest.fixture
def config(tmp_path):
    """Of a diffusion of such sounds."""
    with standing(tmp_path) as write:
        write("aigc_jax/data/fields/waves.py", FIELD)
        write("aigc_jax/data/sets/tones.py", SET)
        tiny = load_config("ddpm_points", "tiny")
        yield {**tiny, "data": {"name": "tones", "length": 32, "batch_size": 8}, "evals": {}}


def test_sounds_are_trained_on_written_and_heard_in_the_report(config, tmp_path):
    run, workdir = build(config), Workdir(tmp_path / "run")
    loop.train(run, workdir, time.time())
    (samples,) = workdir.samples.iterdir()
    with wave.open(io.BytesIO(samples.read_bytes())) as sound:
        found = np.frombuffer(sound.readframes(-1), "<i2").reshape(-1, 2, 32)
    assert samples.suffix == ".wav" and len(found) == config["sample"]["n"]
    assert np.any(found[:, 0]) and not np.any(found[:, 1])
    page = workdir.report.read_text("utf-8")
    assert page.count("<audio controls") == 3, "samples, real examples, and what lies between samples"
    assert 'src="data:audio/x-wav;base64,' in page or 'src="data:audio/wav;base64,' in page


def test_what_is_kept_of_them_is_enough_to_sample_without_the_data(config, tmp_path):
    run, workdir = build(config), Workdir(tmp_path / "run")
    loop.train(run, workdir, time.time())
    again = build(config, kept=workdir.kept(), recall=True)
    assert not again.data.at_hand and again.data.made == run.data.made


def test_an_augmentation_is_the_field_s_own(config):
    run = build(config)
    rows = run.data.splits["train"][np.arange(4)]
    trained, measured = (run.data.prepare(jax.random.key(0), rows, train) for train in (True, False))
    np.testing.assert_allclose(trained.target, 2 * measured.target)
    np.testing.assert_array_equal(trained.given["label"], measured.given["label"])
