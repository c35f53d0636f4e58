"""text8: split by position without a character lost, each split one text; what is not text8 is refused."""

import numpy as np
import pytest

from aigc_jax.data import catalogue
from aigc_jax.errors import UserError

TEXT = ("the cat sat on the mat " * 100)[:2000]


def load(tmp_path, content, **settings):
    (tmp_path / "text8").write_bytes(content)
    section = dict(name="text8", path=str(tmp_path / "text8"), length=16)
    return catalogue.load({**section, **settings}, tmp_path / "prepared")


def test_the_splits_are_one_text_each_and_put_together_the_file(tmp_path):
    data = load(tmp_path, TEXT.encode())
    parts = {split: source.texts() for split, source in data.splits.items()}
    assert {split: [len(text) for text in texts] for split, texts in parts.items()} == {
        "train": [1800],
        "validation": [100],
        "test": [100],
    }
    assert "".join(texts[0] for texts in parts.values()) == TEXT
    rows, special = data.splits["test"].arrays["text"], data.fields["text"].special
    assert np.count_nonzero(rows == special.eos) == 1
    assert np.count_nonzero(~np.isin(rows[:, 1:], (special.pad, special.eos))) == 100


def test_an_extra_token_is_the_mask(tmp_path):
    plain, more = (load(tmp_path, TEXT.encode(), extra_tokens=n).facts for n in (0, 1))
    assert plain["mask"] == -1
    assert more["mask"] == plain["vocabulary"] == more["vocabulary"] - 1


def test_other_texts_are_refused_in_a_line(tmp_path):
    for content, told in ((b"The cat " * 100, "'T'"), ("café " * 100, "'é'"), (b"a", "has 1 characters")):
        content = content.encode() if isinstance(content, str) else content
        with pytest.raises(UserError, match=told):
            load(tmp_path, content)
    with pytest.raises(UserError, match="cannot be read"):
        catalogue.load(dict(name="text8", path=str(tmp_path / "none"), length=16), tmp_path)
