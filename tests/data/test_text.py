"""Texts as tokens: round trips, and windows in which every token is predicted once."""

import jax
import numpy as np
import pytest

from aigc_jax.data.fields.texts import Text
from aigc_jax.data.tokenizers.characters import trained
from aigc_jax.data.tokenizers.special import BOS, EOS, PAD, UNK
from aigc_jax.errors import UserError
from aigc_jax.ops.bits import Unit

TEXTS = ["", "a", "abcabc", "床前明月光，\n疑是地上霜。", "ab" * 40, "𠀀é\N{COMBINING ACUTE ACCENT}"]
ALL = trained(TEXTS, 0)


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(text):
    field = Text(ALL, 8)
    tokens = field.encode(text)
    assert tokens.dtype == np.int32 and len(tokens) == len(text)
    assert field.decode([BOS, *tokens, EOS, PAD, PAD]) == text


def test_what_comes_after_the_end_is_not_shown():
    field = Text("ab", 8)
    assert field.decode([BOS, 4, EOS, 5, 5]) == "a"
    assert field.decode([4, UNK, PAD, 5]) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("length", [2, 3, 7, 16, 200])
def test_every_token_is_predicted_exactly_once(length):
    field = Text(ALL, length)
    for text in TEXTS:
        windows = field.windows([text])
        assert windows.shape[1] == length + 1
        whole = [BOS, *field.encode(text), EOS]
        predicted = windows[:, 1:].reshape(-1)
        assert predicted[: len(whole) - 1].tolist() == whole[1:]  # in order, each once, EOS among them
        assert (predicted[len(whole) - 1 :] == PAD).all()
        assert len(windows) == 1 or (windows[1:, 0] == windows[:-1, -1]).all()  # read what was last predicted
        assert windows[0, 0] == BOS and (windows[:, 1] != PAD).all()  # no window without a target


def test_windows_are_small_and_come_in_order():
    field = Text(ALL, 8)
    windows = field.windows(TEXTS)
    assert windows.dtype == np.uint8
    np.testing.assert_array_equal(windows, np.concatenate([field.windows([text]) for text in TEXTS]))
    assert Text("".join(map(chr, range(100, 1100))), 8).windows(["d"]).dtype == np.uint16


def test_networks_see_the_tokens():
    field = Text("ab", 5)
    seen = jax.jit(field.prepare, static_argnums=2)(jax.random.key(0), field.windows(["ab"]), True)
    assert seen.dtype == np.int32 and seen.tolist() == [[BOS, 4, 5, EOS, PAD, PAD]]


def test_the_vocabulary_is_the_most_frequent():
    assert trained(["bbbaac", "ad"], 2) == "ab"  # 3 a, 3 b: ties in Unicode's order
    assert trained(["bbbaac", "ad"], 0) == "abcd"
    field = Text("ab", 4)
    counts = Unit("char", (0, 0, 1, 1, 1, 1)), Unit("byte", (0, 0, 1, 1, 1, 1))
    special = dict(pad=0, bos=1, eos=2, unk=3, mask=-1, sentinels=())
    assert field.facts == dict(vocabulary=6, length=4, **special, packed=False, units=counts)
    assert field.encode("ac").tolist() == [4, UNK]


def test_prompts_begin_a_text_and_what_is_given_is_a_whole_one():
    field = Text("ab", 4)
    prompt = field.begin("ba", 3)
    assert prompt.dtype == np.int32 and prompt.tolist() == [[BOS, 5, 4]] * 3
    assert field.parse("ba", 2).tolist() == [[BOS, 5, 4, EOS, PAD]] * 2
    for read in (field.begin, field.parse):
        with pytest.raises(UserError, match='"霜"'):
            read("a霜", 1)
        with pytest.raises(UserError, match="at most 3"):
            read("abab", 1)


def test_samples_are_texts():
    field = Text(ALL, 12)
    texts = ["床前明月光，\n疑是地上", "", "a"]
    samples = np.array([np.resize([BOS, *field.encode(text), EOS, PAD], 13) for text in texts])
    assert field.values(field.stored(samples)).tolist() == texts


def test_texts_are_shown_numbered(tmp_path):
    field = Text("床光", 4)
    values = field.values(np.array([[BOS, 4, 5, EOS], [5, PAD, PAD, PAD]]))
    path = field.show(values).write(tmp_path / "deep" / "sample")
    assert path == tmp_path / "deep" / "sample.txt"
    assert path.read_text("utf-8") == "[1]\n床光\n\n[2]\n光\n"
