"""CTranslate2's file of a Whisper: the same weights in our form, and damage in one line."""

import json

import jax
import numpy as np
import pytest
from random_whisper import packed, write, write_ctranslate2

from aigc_jax import ctranslate2, published
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.__main__ import main


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """(a published folder, what CTranslate2 has of it, its variables, arrays there)."""
    folder = tmp_path_factory.mktemp("ctranslate2")
    _, variables = write(folder / "published")
    arrays = write_ctranslate2(folder / "theirs", folder / "published")
    return folder / "published", folder / "theirs", variables, arrays


def test_every_weight_is_there_in_16_bits(folders, tmp_path, capsys):
    source, theirs, variables, _ = folders
    main(["convert", str(theirs), "--name", "whisper", "--out", str(tmp_path / "new")])
    assert capsys.readouterr().out == f"{tmp_path / 'new'}: the Whisper of {theirs}\n"
    found, before = published.read(tmp_path / "new"), published.read(source)
    assert found.network == before.network
    halved = jax.tree.map(lambda x: x.astype(np.float16).astype(np.float32), variables)
    jax.tree.map(np.testing.assert_array_equal, found.variables(), halved)
    config, told = (json.loads((tmp_path / "new" / f"{n}.json").read_text()) for n in ("config", "generation_config"))
    assert config["torch_dtype"] == "float16" and config["decoder_start_token_id"] == 9
    assert told["suppress_tokens"] == [1] and told["begin_suppress_tokens"] == [2] and not told["is_multilingual"]


def test_what_is_no_such_file_is_told_in_a_line(folders, tmp_path):
    _, theirs, _, arrays = folders
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((theirs / name).read_bytes())

    def refused(content, said):
        (tmp_path / "model.bin").write_bytes(content)
        with pytest.raises(UserError, match=said) as caught:
            ctranslate2.convert(tmp_path, tmp_path / "new")
        assert not (tmp_path / "new").exists() and "model.bin" in str(caught.value)

    whole = packed(arrays)
    for size in (0, 3, 30, len(whole) // 2, len(whole) - 5):
        refused(whole[:size], "is damaged, or no Whisper of CTranslate2")
    refused(packed(arrays, version=5), "its version is 5, and 6 is read")
    refused(packed(arrays, kind="TransformerSpec"), "it is a TransformerSpec")
    lacking = {name: x for name, x in arrays.items() if name != "encoder/conv2/bias"}
    refused(packed(lacking), "has no 'encoder/conv2/bias'")
    refused(packed({**arrays, "encoder/conv2/bias": np.zeros(12, np.int8)}), "conv2.bias is int8: take a model that is")
    changed = arrays["encoder/layer_0/self_attention/linear_0/bias"] + np.float16(1)
    refused(packed({**arrays, "encoder/layer_0/self_attention/linear_0/bias": changed}), "has a bias of keys")


def test_what_is_beside_it_is_needed_too(folders, tmp_path):
    _, theirs, *_ = folders
    (tmp_path / "model.bin").write_bytes((theirs / "model.bin").read_bytes())
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        ctranslate2.convert(tmp_path, tmp_path / "new")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_bytes((theirs / "tokenizer.json").read_bytes())
    with pytest.raises(UserError, match="are not those of a Whisper: no 'suppress_ids'"):
        ctranslate2.convert(tmp_path, tmp_path / "new")
    with pytest.raises(UserError, match="is there already: name a new folder"):
        ctranslate2.convert(theirs, tmp_path)
    with pytest.raises(UserError, match=r"There is no .*model\.bin"):
        ctranslate2.convert(tmp_path / "absent", tmp_path / "new")


@pytest.mark.parametrize("arguments", [["whisper"], ["inception", "--out", "new"]])
def test_a_whisper_alone_has_a_folder_to_be_written_to(arguments):
    with pytest.raises(ConfigError, match="--out=FOLDER, a new one, belongs to --name=whisper"):
        main(["convert", "it", "--name", *arguments])
