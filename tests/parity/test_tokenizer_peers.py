"""Tokenizers against those of Hugging Face's transformers and of SentencePiece, on strings that are hard to cut."""

import io
import json

import numpy as np
import pytest

from aigc_jax.data import tokenizers
from aigc_jax.data.tokenizers import learnt
from aigc_jax.data.tokenizers.special import NAMES

transformers = pytest.importorskip("transformers")
sentencepiece = pytest.importorskip("sentencepiece")

TEXTS = [
    "the cat sat on the mat, the dog sat on the log; it's two cats' mats.",
    "Ünïcödé naïve café, Straße, İstanbul, 2024 and 1,000.50!",
    "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",
    "ＦＵＬＬ　ｗｉｄｔｈ ｶﾀｶﾅ カタカナ 한국어 ภาษาไทย हिन्दी עברית العربية",
    "👩‍👩‍👧 🇨🇳 👍🏽 𠀀 ﬁne ½ ①",
] * 20
HARD = [
    "",
    " ",
    "   three  spaces   ",
    "\ttab\n\nlines\r\nand returns\r",
    "nul\0within\x07and\x7fbell",
    "cafe\N{COMBINING ACUTE ACCENT} is not café",
    "👩‍👩‍👧👍🏽🇨🇳🇨 𠀀𪛖",
    "ＦＵＬＬ　ｗｉｄｔｈ　１２３",
    "床前明月光, the 龘 is rare",
    "\ufeffמרחבא שלום\N{RIGHT-TO-LEFT MARK} العَرَبِيَّة",
    "soft\N{SOFT HYPHEN}hyphen zero\N{ZERO WIDTH SPACE}width\N{NO-BREAK SPACE}space\N{IDEOGRAPHIC SPACE}wide",
    "it's we'll I'M x'yz ''",
    "1234567890 3.14 -1e-9",
    "!!!???...，。、；",
    "İıſßẞﬁ",
    "a" * 300,
    "\N{REPLACEMENT CHARACTER}\ue000\U0010fffd",
    "ก็ำ क्षि 각",
]


def same(ours, theirs):
    """ours: a `Tokenizer`. theirs: text -> ids."""
    for text in HARD + TEXTS[:5]:
        found = ours.encode(text)
        assert found.dtype == np.int32
        assert found.tolist() == theirs(text), repr(text)


def plain(peer):
    """Their ids of a text, without special tokens."""
    return lambda text: peer.encode(text, add_special_tokens=False)


def read(folder):
    return tokenizers.tokenizer(*learnt(f"file:{folder}", list, 0))


def made(name):
    """(ours, learnt from TEXTS, its tokenizer.json)."""
    found = learnt(name, lambda: TEXTS, 400)
    return tokenizers.tokenizer(*found), json.loads(found.model)["tokenizer"]


@pytest.mark.parametrize("name", ["bpe", "wordpiece", "unigram"])
def test_learnt_ones_read_by_transformers(tmp_path, name):
    ours, described = made(name)
    (tmp_path / "tokenizer.json").write_text(described)
    same(ours, plain(transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))))


def test_gpt2(tmp_path):
    model = json.loads(made("bpe")[1])["model"]
    pieces = [*list(model["vocab"])[len(NAMES) :], "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    merges = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in model["merges"])])
    (tmp_path / "merges.txt").write_text(merges)
    same(read(tmp_path), plain(transformers.GPT2Tokenizer.from_pretrained(tmp_path)))


@pytest.mark.parametrize("lower", [True, False])
def test_bert(tmp_path, lower):
    pieces = list(json.loads(made("wordpiece")[1])["model"]["vocab"])[len(NAMES) :]
    lowered = sorted({piece.lower() for piece in pieces} - {*pieces})
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *lowered]))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    same(read(tmp_path), plain(transformers.BertTokenizer.from_pretrained(tmp_path, do_lower_case=lower)))


@pytest.mark.parametrize("fallback", [True, False])
def test_sentencepiece(tmp_path, fallback):
    """Files of T5 and of Llama have its model: transformers, in turn, has the library read it."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=written,
        vocab_size=400 if fallback else 200,
        byte_fallback=fallback,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (tmp_path / "spiece.model").write_bytes(written.getvalue())
    same(read(tmp_path), sentencepiece.SentencePieceProcessor(model_proto=written.getvalue()).encode)


def test_bytes_are_those_of_byt5():
    """Whose three special tokens come before the bytes; ours has one more."""
    peer = transformers.ByT5Tokenizer(extra_ids=0)
    ours = tokenizers.tokenizer(*learnt("bytes", list, 0))
    more = len(NAMES) - len(peer.all_special_tokens)
    same(ours, lambda text: [number + more for number in peer.encode(text, add_special_tokens=False)])


def test_characters_are_those_of_canine():
    """Whose tokens are code points."""
    peer = transformers.CanineTokenizer()
    ours = tokenizers.tokenizer(*learnt("characters", lambda: [*TEXTS, *HARD], 0))
    for text in HARD:
        points = [ord(ours.names[token]) for token in ours.encode(text)]
        assert points == peer.encode(text, add_special_tokens=False), repr(text)
