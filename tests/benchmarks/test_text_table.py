"""The table of language models: figures of records, n-grams of the run's data, and runs that do not compare."""

import json

import numpy as np
import pytest
from support import write_texts

from aigc_jax.data import catalogue
from aigc_jax.errors import UserError
from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.metrics.ngram import ngram_bits
from aigc_jax.metrics.record import Figure, Origin, Protocol, write
from benchmarks.text_table import page

DATA = dict(name="text_folder", documents="files", length=40, vocabulary_size=0)


def finished(folder, path, method="autoregressive", value=2.0, data="text_folder"):
    """What a run leaves that the table reads."""
    folder.mkdir()
    section = {**DATA, "path": str(path), "batch_size": 8}
    config = {"method": {"name": method}, "networks": {"net": {"name": "lstm.Lstm"}}, "data": section}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "networks.json").write_text("{}")
    (folder / "about.json").write_text(json.dumps({"parameters": 12345}))
    for step, more in ((10, 1.0), (20, 0.0)):
        bits = {"bits_per_char": value + more, "bits_per_byte": (value + more) / 2}
        figures = [
            Figure(Protocol(name, data, "abc", "test", 7), Interval(each, each - 0.25, each + 0.25), None)
            for name, each in bits.items()
        ]
        write(folder / "records.jsonl", figures, Origin(folder.name, 0, step=step, seconds=60.0 * step))
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("texts") / "texts")


def test_a_row_has_the_figures_of_the_last_step(tmp_path, texts):
    runs = [finished(tmp_path / "one", texts), finished(tmp_path / "two", texts, "masked_diffusion", 1.5)]
    head, _, *rows = page(runs, "test", 0, tmp_path).split("\n\n")[1].splitlines()
    assert head.startswith("| model | network | trained | parameters | bits/char | bits/byte |")
    assert rows == [
        "| two | lstm.Lstm | 20 steps, 20 min | 12,345 | ≤ 1.500 [1.250, 1.750] | ≤ 0.750 [0.500, 1.000] | 7 |",
        "| one | lstm.Lstm | 20 steps, 20 min | 12,345 | 2.000 [1.750, 2.250] | 1.000 [0.750, 1.250] | 7 |",
    ]


def test_ngrams_are_of_the_data_of_the_run(tmp_path, texts):
    found = page([finished(tmp_path / "one", texts, value=99.0)], "test", 2, tmp_path).splitlines()
    rows = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in found if "-gram" in row}
    data = catalogue.load({**DATA, "path": str(texts)}, tmp_path)
    train, test = ([row[row != 0] for row in data.splits[name].arrays["text"]] for name in ("train", "test"))
    for order in (1, 2):
        bits = ngram_bits(train, test, order, data.facts["vocabulary"])
        assert float(rows[f"{order}-gram"][4].split()[0]) == pytest.approx(bits, abs=5e-4)
        low, high = json.loads(rows[f"{order}-gram"][4].split(maxsplit=1)[1])
        assert low < bits < high
    sizes = [len(data.splits["test"].texts()[i].encode()) + 1 for i in range(len(test))]
    per_byte = bits * sum(len(row) - 1 for row in test) / np.sum(sizes)
    assert float(rows["2-gram"][5].split()[0]) == pytest.approx(per_byte, abs=5e-4)


def test_runs_that_do_not_compare_are_refused(tmp_path, texts):
    one, other = finished(tmp_path / "one", texts), finished(tmp_path / "other", texts, data="tang_poems")
    with pytest.raises(UserError, match="one is of text_folder, other is of tang_poems"):
        page([one, other], "test", 0, tmp_path)
    with pytest.raises(UserError, match='no bits of the split "validation"'):
        page([one], "validation", 0, tmp_path)
