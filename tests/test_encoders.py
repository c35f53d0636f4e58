"""What a method is given may be encoded first: in training, measuring and sampling, by a key of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import load_config

from aigc_jax.build import build
from aigc_jax.encoders import encoding
from aigc_jax.errors import ConfigError
from aigc_jax.method import Batch, Codec, Method, State

KEY = jax.random.key(0)


def noisy(key, frozen, rows):
    return frozen["gain"] * rows + jax.random.normal(key, rows.shape)


def method():
    """It hands on what it is given."""

    def step(key, state, batch):
        return state.replace(extra=dict(batch.given)), {}

    return Method(
        init=lambda key, batch, frozen: State(jnp.int32(0), {}, {}, {}, dict(batch.given), frozen),
        step=step,
        evaluate=lambda key, state, batch: dict(batch.given),
        sample=lambda keys, state, given, plan: given,
        parts={"walk": lambda key, state, n, given: given, "other": len},
    )


GIVEN = {"text": jnp.arange(6.0).reshape(3, 2), "label": jnp.arange(3)}
ENCODED = encoding(method(), {"text": Codec({}, noisy, lambda frozen, rows: rows)})
FROZEN = {"gain": jnp.float32(100)}
BATCH = Batch(jnp.zeros(3), GIVEN)


@pytest.mark.parametrize("of", ["init", "step", "evaluate", "sample", "walk"])
def test_one_field_is_encoded_wherever_the_method_reads_it(of):
    state = ENCODED.init(KEY, BATCH, FROZEN)
    found = {
        "init": lambda: state.extra,
        "step": lambda: ENCODED.step(KEY, state, BATCH)[0].extra,
        "evaluate": lambda: ENCODED.evaluate(KEY, state, BATCH),
        "sample": lambda: ENCODED.sample(jax.random.split(KEY, 3), state, GIVEN, {}),
        "walk": lambda: ENCODED.parts["walk"](KEY, state, 3, GIVEN),
    }[of]()
    np.testing.assert_array_equal(found["label"], GIVEN["label"])
    noise = np.asarray(found["text"] - 100 * GIVEN["text"])
    assert 0 < np.abs(noise).max() < 6 and len(np.unique(noise)) == 6
    assert ENCODED.parts["other"] is len


def test_a_sample_is_given_the_same_alone_and_in_a_batch():
    state, keys = ENCODED.init(KEY, BATCH, FROZEN), jax.random.split(KEY, 3)
    together = ENCODED.sample(keys, state, GIVEN, {})["text"]
    for i in range(3):
        alone = ENCODED.sample(keys[i : i + 1], state, {name: x[i : i + 1] for name, x in GIVEN.items()}, {})["text"]
        np.testing.assert_array_equal(alone[0], together[i])


def test_without_encoders_a_method_is_itself():
    plain = method()
    assert encoding(plain, {}) is plain


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"caption": {"name": "identity"}}, '"encoders.caption" encodes nothing that is given. Known: label.'),
        ({"label": {"name": "nothing"}}, 'encoders.label.name: there is no "nothing"'),
        ({"label": {"name": "identity", "size": 3}}, 'Nothing reads the configuration key "encoders.label.size"'),
        ({"label": {"name": "latents", "scale": 1.0}}, "name it under frozen.codec"),
    ],
)
def test_what_cannot_be_encoded_is_named(sections, said):
    with pytest.raises(ConfigError) as error:
        build({**load_config("cddpm_digits", "tiny"), "encoders": sections})
    assert said in str(error.value)
