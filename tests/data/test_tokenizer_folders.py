"""Tokenizers that are written into a folder come back as the same ones."""

import json

import pytest

from aigc_jax.data.fields.texts import Text
from aigc_jax.data.tokenizers import Learnt, folder, learnt, tokenizer
from aigc_jax.data.tokenizers.special import NONE
from aigc_jax.errors import UserError

TEXTS = ["the cat sat on the mat", "床前明月光，疑是地上霜。", "two\nlines\tand a ▁ bar"] * 20
HARD = [*TEXTS[:3], "👩‍👩‍👧 🇨🇳 𠀀", "  two  spaces ", "<pad><eos>", ""]
NAMES = ["characters", "bytes", "bpe", "wordpiece", "unigram"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back_as_the_same_tokenizer(tmp_path, name):
    found = learnt(name, lambda: TEXTS, 300)
    made = folder.write(tmp_path, found)
    again = learnt(f"file:{tmp_path}", list, 0)
    assert again.kind == found.kind
    other = tokenizer(*again)
    assert (other.size, other.special, other.names, other.spells) == (made.size, made.special, made.names, made.spells)
    for text in HARD:
        assert other.encode(text).tolist() == made.encode(text).tolist()


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_our_own_kinds_are_tokenizers_of_the_library_too(tmp_path, name):
    """For readers that know no kind of ours."""
    library = pytest.importorskip("tokenizers")
    made = folder.write(tmp_path, learnt(name, lambda: HARD, 0))
    inner = library.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    inner.encode_special_tokens = True
    for text in HARD:
        tokens = inner.encode(text).ids
        assert tokens == made.encode(text).tolist()
        assert inner.decode(tokens, skip_special_tokens=False) == text


def test_half_a_pair_of_utf_16_is_a_character(tmp_path):
    folder.write(tmp_path, learnt("characters", lambda: ["a\ud83d"], 0))
    assert learnt(f"file:{tmp_path}", list, 0).model == "\ud83da"[::-1]


def test_special_tokens_are_named_as_transformers_calls_them(tmp_path):
    folder.write(tmp_path, learnt("bytes", list, 0))
    told = json.loads((tmp_path / "special_tokens_map.json").read_text())
    assert told == {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}


def test_the_end_of_a_text_is_not_counted_as_unknown(tmp_path):
    """GPT-2 names <|endoftext|> as its unknown token too, of which a byte-level tokenizer has none."""
    folder.write(tmp_path, learnt("bpe", lambda: TEXTS, 300))
    file = tmp_path / "special_tokens_map.json"
    file.write_text(json.dumps(dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<eos>")))
    made = tokenizer(*learnt(f"file:{tmp_path}", list, 0))
    assert made.special.unk == NONE and made.special.bos == made.special.eos != NONE
    assert [made.lacking(text) for text in HARD] == [""] * len(HARD)


def test_a_kind_of_another_version_is_named(tmp_path):
    folder.write(tmp_path, learnt("bytes", list, 0))
    file = tmp_path / "tokenizer_config.json"
    file.write_text(file.read_text().replace('"bytes"', '"words"'))
    with pytest.raises(UserError, match="cannot be read"):
        learnt(f"file:{tmp_path}", list, 0)


def test_sentencepiece_comes_back(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 5), model_prefix=str(tmp_path / "spiece"), vocab_size=34, pad_id=0, unk_id=2,
        eos_id=1, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    found = learnt(f"file:{tmp_path}", list, 0)
    (tmp_path / "again").mkdir()
    folder.write(tmp_path / "again", found)
    again = learnt(f"file:{tmp_path / 'again'}", list, 0)
    assert again == Learnt("sentencepiece", found.model)
    assert Text(again.model, 8, again.kind).encode("the cat").tolist() == Text(found.model, 8, found.kind).encode(
        "the cat"
    ).tolist()  # fmt: skip
