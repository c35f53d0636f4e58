"""Tokenizers: hard strings come back, special tokens are none of a text, and units of measure add up."""

import json

import numpy as np
import pytest

from aigc_jax.data import tokenizers
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.tokenizers import learnt
from aigc_jax.data.tokenizers.special import NONE, UNKNOWN
from aigc_jax.errors import ConfigError, UserError

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "床前明月光，疑是地上霜。", "a cat, a dog; two cats"] * 20
HARD = [
    "",
    "naïve cafe\N{COMBINING ACUTE ACCENT}",
    "👩‍👩‍👧 🇨🇳 𠀀",
    "ＦＵＬＬ　ｗｉｄｔｈ",
    "line\r\nline\ttab\0nul",
    "  two  spaces ",
    "<pad><eos><|endoftext|>",
    "床前明月光",
    "\ufeffمرحبا שלום",
]
NAMES = ["characters", "bytes", "bpe", "wordpiece", "unigram"]


@pytest.fixture(scope="module", params=NAMES)
def field(request):
    found = learnt(request.param, lambda: [*TEXTS, *HARD] if request.param == "characters" else TEXTS, 300)
    return Text(found.model, 64, found.kind, extra=3)


def test_what_is_lossless_gives_hard_strings_back(field):
    if field.inner.unit == "tokens" and "ByteLevel" not in field.model:
        pytest.skip("normalises, or has unknown characters")
    for text in HARD:
        tokens = field.encode(text)
        assert field.decode(tokens) == text
        assert not set(tokens.tolist()) & field.special.all, "a special token's name within a text is text"


def test_units_add_up(field):
    """What tokens stand for is what the text has; of WordPiece but for spaces."""
    char, byte = field.facts["units"]
    for text in TEXTS[:4]:
        tokens, said = field.encode(text), text.replace(" ", "") if "WordPiece" in field.model else text
        assert field.special.unk not in tokens
        assert sum(char.counts[token] for token in tokens) == len(said)
        assert sum(byte.counts[token] for token in tokens) == len(said.encode())
    assert char.counts[field.special.eos] == byte.counts[field.special.eos] == 1
    assert char.counts[field.special.pad] == char.counts[field.special.bos] == char.counts[field.special.mask] == 0


def test_a_word_that_is_learnt_is_fewer_tokens():
    lengths = {name: len(Text(*_made(name)).encode("the cat sat on the mat")) for name in NAMES}
    assert lengths["characters"] == lengths["bytes"] == 22
    assert lengths["bpe"] == lengths["wordpiece"] == 6 and lengths["unigram"] < 22, "the last learns little from little"


def _made(name):
    found = learnt(name, lambda: TEXTS, 300)
    return found.model, 64, found.kind


def test_extra_tokens_follow_and_the_first_is_the_mask(field):
    size = field.inner.size
    assert field.vocabulary == size + 3 and field.special.mask == size and field.special.others == (size + 1, size + 2)
    assert field.facts["mask"] == size and field.facts["sentinels"] == (size + 1, size + 2)
    assert field.decode([field.special.bos, size, *field.encode("cat"), size + 1]) == "cat"
    assert Text(field.model, 64, field.tokenizer).facts["mask"] == NONE


def test_what_is_unknown_is_told():
    found = Text(*_made("wordpiece"))
    assert found.decode([found.special.bos, *found.encode("the 龍 cat"), found.special.eos]).count(UNKNOWN) == 1
    with pytest.raises(UserError, match='"龍" .U.9F8D. is not in the vocabulary'):
        found.begin("the 龍", 1)


def test_packed_texts_are_one_long_one():
    field = Text("ab", 4, packed=True)
    rows = field.windows(["ab", "b", "aab"])
    assert rows[:, 1:].reshape(-1).tolist() == [4, 5, 2, 1, 5, 2, 1, 4, 4, 5, 2, 0]
    assert field.windows([]).shape == (0, 5)


def test_gpt2_files_and_its_one_special_token(tmp_path):
    """Its end is its beginning, and nothing pads: padding is a number that no token has."""
    alphabet = json.loads(json.loads(learnt("bpe", lambda: TEXTS, 300).model)["tokenizer"])["model"]
    vocabulary = {name: i for i, name in enumerate([*list(alphabet["vocab"])[4:], "<|endoftext|>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    merges = ["#version: 0.2", *(" ".join(pair) if isinstance(pair, list) else pair for pair in alphabet["merges"])]
    (tmp_path / "merges.txt").write_text("\n".join(merges))
    found = learnt(f"file:{tmp_path}", list, 0)
    field = Text(found.model, 8, found.kind)
    end = vocabulary["<|endoftext|>"]
    assert (field.special.bos, field.special.eos, field.special.pad) == (end, end, NONE)
    row = field.windows(["a cat"])
    assert row.dtype == np.int16 and row[0, 0] == end and row[0, -1] == NONE and list(row[0]).count(end) == 2
    assert field.decode(row[0]) == "a cat"
    assert field.decode(field.encode("say <|endoftext|>")) == "say <|endoftext|>"
    packed = Text(found.model, 8, found.kind, packed=True).windows(["a", "a"])
    assert (packed == end).sum() == 3, "an end that is the next one's beginning stands once"


def test_a_published_tokenizer_of_bert(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "明"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    found = learnt(f"file:{tmp_path}", list, 0)
    field = Text(found.model, 8, found.kind)
    assert field.special[:5] == (0, 2, 3, 1, 4)
    assert field.encode("The Cats 明 dog").tolist() == [5, 6, 7, 8, 1]
    assert field.facts["mask"] == 4


def test_mistakes_have_one_line(tmp_path):
    for name, told in (
        ("bpee", "Did you mean"),
        (f"file:{tmp_path}/none", "no folder"),
        (f"file:{tmp_path}", "has no tok"),
    ):
        with pytest.raises(UserError, match=told):
            learnt(name, lambda: TEXTS, 300)
    with pytest.raises(ConfigError, match="vocabulary_size=8000"):
        learnt("bpe", lambda: TEXTS, 0)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="fetch them again"):
        learnt(f"file:{tmp_path}", list, 0)


def test_a_tokenizer_is_made_once():
    model, _, kind = _made("bpe")
    assert tokenizers.tokenizer(kind, model) is tokenizers.tokenizer(kind, model)
