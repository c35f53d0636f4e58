"""Exported tokenizers against transformers' reading of their folders."""

import pytest

from aigc_jax.data.tokenizers import folder, learnt

transformers = pytest.importorskip("transformers")

TEXTS = ["the cat sat on the mat", "床前明月光，疑是地上霜。", "two\nlines, and 👩‍👩‍👧"] * 20


@pytest.mark.parametrize("model_type", ["", "gpt2", "llama", "bert", "t5"])
@pytest.mark.parametrize("name", ["characters", "bytes", "bpe", "wordpiece", "unigram"])
def test_transformers_reads_the_same_tokens(tmp_path, name, model_type):
    made = folder.write(tmp_path, learnt(name, lambda: TEXTS, 300))
    if model_type:
        (tmp_path / "config.json").write_text(f'{{"model_type": "{model_type}"}}')
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    else:
        theirs = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for text in TEXTS[:3]:
        tokens = theirs(text, add_special_tokens=False)["input_ids"]
        assert tokens == made.encode(text).tolist()
        assert theirs.decode(tokens) == made.decode(tokens)
    special = made.special
    assert (theirs.pad_token_id, theirs.bos_token_id, theirs.eos_token_id) == (special.pad, special.bos, special.eos)
    assert theirs.unk_token_id == special.unk and len(theirs) == made.size
