"""Texts as tokens: round trips, and windows in which every token is predicted once."""

import json

import jax
import numpy as np
import pytest

from aigc_jax.data.text import BOS, EOS, PAD, UNK, TextMedium, common_characters, coverage
from aigc_jax.errors import UserError

TEXTS = ["", "a", "abcabc", "床前明月光，\n疑是地上霜。", "ab" * 40, "𠀀é\N{COMBINING ACUTE ACCENT}"]
ALL = common_characters(TEXTS, 0)


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(text):
    medium = TextMedium(ALL, 8)
    tokens = medium.encode(text)
    assert tokens.dtype == np.int32 and len(tokens) == len(text)
    assert medium.decode([BOS, *tokens, EOS, PAD, PAD]) == text


def test_what_comes_after_the_end_is_not_shown():
    medium = TextMedium("ab", 8)
    assert medium.decode([BOS, 4, EOS, 5, 5]) == "a"
    assert medium.decode([4, UNK, PAD, 5]) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("length", [2, 3, 7, 16, 200])
def test_every_token_is_predicted_exactly_once(length):
    medium = TextMedium(ALL, length)
    for text in TEXTS:
        windows = medium.windows([text])
        assert windows.shape[1] == length + 1
        whole = [BOS, *medium.encode(text), EOS]
        predicted = windows[:, 1:].reshape(-1)
        assert predicted[: len(whole) - 1].tolist() == whole[1:]  # in order, each once, EOS among them
        assert (predicted[len(whole) - 1 :] == PAD).all()
        assert len(windows) == 1 or (windows[1:, 0] == windows[:-1, -1]).all()  # read what was last predicted
        assert windows[0, 0] == BOS and (windows[:, 1] != PAD).all()  # no window without a target


def test_windows_are_small_and_come_in_order():
    medium = TextMedium(ALL, 8)
    windows = medium.windows(TEXTS)
    assert windows.dtype == np.uint8
    np.testing.assert_array_equal(windows, np.concatenate([medium.windows([text]) for text in TEXTS]))
    assert TextMedium("".join(map(chr, range(100, 1100))), 8).windows(["d"]).dtype == np.uint16


def test_prepare_masks_padding():
    medium = TextMedium("ab", 5)
    seen = jax.jit(medium.prepare, static_argnums=2)(jax.random.key(0), {"tokens": medium.windows(["ab"])}, True)
    assert seen["tokens"].dtype == np.int32 and seen["mask"].dtype == np.float32
    assert seen["tokens"].tolist() == [[BOS, 4, 5, EOS, PAD, PAD]]
    assert seen["mask"].tolist() == [[1, 1, 1, 1, 0, 0]]


def test_the_vocabulary_is_the_most_frequent():
    assert common_characters(["bbbaac", "ad"], 2) == "ab"  # 3 a, 3 b: ties in Unicode's order
    assert common_characters(["bbbaac", "ad"], 0) == "abcd"
    assert coverage(["bbbaac", "ad"], "ab") == pytest.approx(6 / 8)
    medium = TextMedium("ab", 4)
    assert medium.facts == dict(vocabulary=6, length=4, pad=0, bos=1, eos=2, unit="char")
    assert medium.encode("ac").tolist() == [4, UNK]


def test_prompts():
    medium = TextMedium("ab", 4)
    assert medium.condition("", 3) is None
    prompt = medium.condition("ba", 3)
    assert prompt.dtype == np.int32 and prompt.tolist() == [[BOS, 5, 4]] * 3
    with pytest.raises(UserError, match='"霜"'):
        medium.condition("a霜", 1)
    with pytest.raises(UserError, match="at most 3"):
        medium.condition("abab", 1)


def test_samples_are_saved_as_lines(tmp_path):
    medium = TextMedium(ALL, 12)
    texts = ["床前明月光，\n疑是地上", "", "a"]
    samples = np.array([np.resize([*medium.encode(text), EOS, PAD], 12) for text in texts])
    lines = medium.save(samples, None, tmp_path / "samples").read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == texts and "床前" in lines[0]


def test_samples_are_written_as_text(tmp_path):
    medium = TextMedium("床光", 4)
    path = medium.write(np.array([[BOS, 4, 5, EOS], [5, PAD, PAD, PAD]]), tmp_path / "deep" / "sample")
    assert path == tmp_path / "deep" / "sample.txt"
    assert path.read_text("utf-8") == "[1]\n床光\n\n[2]\n光\n"
