"""BERT's published form: what NumPy computes from its arrays, with each head, and what is refused."""

import json
import math

import numpy as np
import pytest
from random_network import written
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.bert import Bert

TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]], np.int32)
TYPES = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1]], np.int32)
FIELDS = dict(vocabulary=11, length=8, layers=2, width=12, heads=3, dropout=0.0, head="words", classes=0, pooled=False)
FIELDS |= dict(mlp_width=20, types=3)
HEADS = {
    "words": {},
    "hidden": dict(head="hidden", pooled=True),
    "classes": dict(head="classes", classes=4),
    "tokens": dict(head="tokens", classes=5),
}


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / np.sqrt(2)))


def outputs(arrays, tokens, types, fields):
    """Of one text [T]: the paper's network, a loop over heads."""
    arrays = {key.removeprefix("bert."): x for key, x in arrays.items()}

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * arrays[f"{name}.LayerNorm.weight"] + arrays[f"{name}.LayerNorm.bias"]

    def linear(x, name):
        return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    x = arrays["embeddings.word_embeddings.weight"][tokens] + arrays["embeddings.token_type_embeddings.weight"][types]
    x = norm(x + arrays["embeddings.position_embeddings.weight"][: len(tokens)], "embeddings")
    for layer in range(fields["layers"]):
        own = f"encoder.layer.{layer}"
        parts = (linear(x, f"{own}.attention.self.{name}") for name in ("query", "key", "value"))
        read = []
        for q, k, v in zip(*(np.split(part, fields["heads"], -1) for part in parts), strict=True):
            weights = np.exp(q @ k.T / np.sqrt(q.shape[-1]))
            read.append(weights / weights.sum(-1, keepdims=True) @ v)
        x = norm(x + linear(np.concatenate(read, -1), f"{own}.attention.output.dense"), f"{own}.attention.output")
        hidden = gelu(linear(x, f"{own}.intermediate.dense"))
        x = norm(x + linear(hidden, f"{own}.output.dense"), f"{own}.output")
    if fields["head"] == "words":
        x = norm(gelu(linear(x, "cls.predictions.transform.dense")), "cls.predictions.transform")
        return x @ arrays["embeddings.word_embeddings.weight"].T + arrays["cls.predictions.bias"]
    if fields["head"] == "classes":
        return linear(np.tanh(linear(x[0], "pooler.dense")), "classifier")
    return linear(x, "classifier") if fields["head"] == "tokens" else x


@pytest.mark.parametrize("head", HEADS)
def test_the_written_arrays_compute_what_the_network_does(tmp_path, head):
    fields = {**FIELDS, **HEADS[head]}
    folder = tmp_path / "bert"
    arrays, ours = written(folder, "bert", Bert(**fields), fields, "bert.Bert", (TOKENS,), types=TYPES, train=False)
    expected = np.stack([outputs(arrays, *row, fields) for row in zip(TOKENS, TYPES, strict=True)])
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_old_names_and_other_heads_of_the_pretraining_are_passed_over(tmp_path):
    """As the first published files have them."""
    folder = tmp_path / "bert"
    written(folder, "bert", Bert(**FIELDS), FIELDS, "bert.Bert", (TOKENS,), train=False)
    expected = published.read(folder).variables()
    renamed = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    arrays = {}
    for name, x in load_file(folder / published.ARRAYS).items():
        for new, old in renamed.items():
            name = name.replace(new, old)
        arrays[name] = x
    rest = ("bert.pooler.dense.weight", "cls.seq_relationship.weight", "cls.predictions.decoder.weight")
    arrays |= dict.fromkeys((*rest, "bert.embeddings.position_ids"), np.zeros(1, np.float32))
    save_file(arrays, folder / published.ARRAYS)
    found = published.read(folder).variables()
    np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(architectures=["BertLMHeadModel"]), '"architectures" is "BertLMHeadModel", and bert.Bert is one of'),
        (dict(position_embedding_type="relative_key"), "\"position_embedding_type\" is 'relative_key'"),
        (dict(hidden_act="silu"), "\"hidden_act\" is 'silu', and bert.Bert has one of gelu"),
    ],
)
def test_what_the_network_does_not_compute_is_refused(tmp_path, changes, said):
    (tmp_path / published.CONFIG).write_text(json.dumps({"model_type": "bert", **changes}))
    with pytest.raises(UserError, match=said):
        published.read(tmp_path)


def test_what_the_format_has_no_words_for_is_refused(tmp_path):
    for changes, said in (
        (dict(types=0), '"types" is 0'),
        (dict(head="hidden"), '"pooled" is False'),
        (dict(head="classes", classes=2, pooling="mean"), '"pooling" is "mean"'),
    ):
        with pytest.raises(UserError, match=said):
            published.write(tmp_path / "bert", {"name": "bert.Bert", **FIELDS, **changes}, {}, "bert")
