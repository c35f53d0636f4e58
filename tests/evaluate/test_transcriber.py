"""What is heard: the tokens that a whole pass chooses, whatever stands beside a clip; cuts in silence; the command."""

import json

import numpy as np
import pytest
from random_whisper import LETTERS, write

from aigc_jax import command, published
from aigc_jax.data.waves import Wave
from aigc_jax.data.waves import write as write_wave
from aigc_jax.errors import UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.evaluate.transcriber import transcriber, windows
from aigc_jax.metrics.record import read_records
from aigc_jax.nn.whisper import Whisper
from aigc_jax.ops.mel import RATE, log_mel
from aigc_jax.ops.platform import run_once

WINDOW = 8000  # samples that the small network reads at once
END, START, UNTIMED = 8, 9, 11
RANDOM = np.random.RandomState(0)
CLIPS = [(0.1 * RANDOM.randn(size)).astype(np.float32) for size in (WINDOW, 5000, 300, 7000, WINDOW - 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper") / "tiny"
    write(folder)
    return folder


@pytest.fixture(scope="module")
def by(folder):
    return transcriber(folder)


@pytest.fixture(scope="module")
def heard(by):
    return list(by.texts(CLIPS))


@pytest.fixture(scope="module")
def log_p(folder):
    """Tokens [5, 24], a text of each clip from its start on -> log p of each next token, [5, 24, V]."""
    found = published.read(folder)
    net = Whisper(**{key: value for key, value in found.network.items() if key != "name"})
    clips = np.stack([np.pad(clip, (0, WINDOW - len(clip))) for clip in CLIPS])

    def logits(variables, tokens, clips):
        return net.apply(variables, tokens, given={"source": log_mel(clips, 10)}, train=False)

    program, variables = run_once(logits), found.variables()

    def all_of(tokens):
        found = np.array(program(variables, tokens, clips), np.float64)
        found[..., [1, *range(END + 1, found.shape[-1])]] = -np.inf
        found[:, 1, 2] = -np.inf
        return found - np.log(np.exp(found).sum(-1, keepdims=True))

    return all_of


def test_the_tokens_are_those_of_a_whole_pass(log_p, heard):
    """Without a cache, one after the other; tokens 1 and 2 are suppressed, the latter only at first."""
    tokens = np.full((len(CLIPS), 24), UNTIMED, np.int32)
    tokens[:, 0] = START
    for place in range(2, 13):
        tokens[:, place] = log_p(tokens)[:, place - 1].argmax(-1)
    said = ["".join(LETTERS[token] if token < END else "." for token in row[2:13]).split(".")[0] for row in tokens]
    assert heard == said and len(set(said)) > 1


def test_a_search_finds_no_less_probable_texts(folder, log_p, heard):
    def total(texts):
        tokens = np.full((len(CLIPS), 24), END, np.int32)
        tokens[:, :2] = START, UNTIMED
        for row, text in zip(tokens, texts, strict=True):
            row[2 : 2 + len(text)] = [LETTERS.index(letter) for letter in text]
        chosen = np.take_along_axis(log_p(tokens)[:, :-1], tokens[:, 1:, None], -1)[..., 0]
        return np.array([each[1 : min(len(text) + 2, 12)].sum() for each, text in zip(chosen, texts, strict=True)])

    found, alone = total(list(transcriber(folder, beams=4).texts(CLIPS))), total(heard)
    assert (found >= alone - 1e-3).all() and (found > alone + 0.1).any()


def test_a_text_depends_on_its_clip_alone(by, heard):
    assert list(by.texts(CLIPS[::-1])) == heard[::-1]
    assert list(by.texts(CLIPS[1:2])) == heard[1:2]


def test_a_long_clip_is_the_texts_of_its_windows(by, heard):
    long = np.concatenate([CLIPS[1], np.zeros(WINDOW, np.float32), CLIPS[3]])
    parts = windows(long, WINDOW)
    assert len(parts) > 1
    expected = " ".join(" ".join(by.texts(parts)).split())
    assert list(by.texts([CLIPS[0], long, CLIPS[2]])) == [heard[0], expected, heard[2]]


def test_cuts_are_where_it_is_quietest():
    clip = (0.1 * RANDOM.randn(70 * RATE)).astype(np.float32)
    quiet = [(27 * RATE, 28 * RATE), (55 * RATE, 56 * RATE)]
    for start, stop in quiet:
        clip[start:stop] *= 0.01
    parts = windows(clip, 30 * RATE)
    np.testing.assert_array_equal(np.concatenate(parts), clip)
    assert all(0 < len(part) <= 30 * RATE for part in parts) and len(parts) == 3
    for place, (start, stop) in zip(np.cumsum([len(part) for part in parts]), quiet, strict=False):
        assert start <= place <= stop
    assert [len(part) for part in windows(clip[: 30 * RATE], 30 * RATE)] == [30 * RATE]


def guarded(*arguments):
    return command.guarded(main, ["transcribe", *map(str, arguments)])


def test_the_command_prints_a_line_a_file_and_the_figure(folder, tmp_path, capsys):
    """Files of 48 kHz in stereo would be brought to 16 kHz; these are of it already."""
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path, clip in zip(paths, CLIPS, strict=False):
        write_wave(path, Wave(clip, RATE))
    assert guarded(folder, *paths) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    (tmp_path / "said.txt").write_text("\n".join([lines[0] or "a", "one two", lines[2] or "a"]) + "\n")
    assert guarded(folder, *paths, "--truth", tmp_path / "said.txt", "--out", tmp_path / "records.jsonl") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == lines and out[3].startswith("word_error")
    (record,) = read_records(tmp_path / "records.jsonl")
    assert record.protocol.measure == "word_error" and record.protocol.samples == 3 and record.value > 0
    (tmp_path / "said.txt").write_text("a\n")
    assert guarded(folder, *paths, "--truth", tmp_path / "said.txt") == 1
    assert "said.txt has 1 texts, and there are 3 files" in capsys.readouterr().err


def test_what_cannot_be_heard_is_told_in_a_line(folder, tmp_path, capsys):
    path = tmp_path / "a.wav"
    write_wave(path, Wave(CLIPS[0], RATE))

    def refused(code, said, *arguments):
        assert guarded(*arguments) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line

    (tmp_path / "b.wav").write_bytes(b"no sound")
    refused(1, "b.wav is damaged, or no WAV file", folder, path, tmp_path / "b.wav")
    refused(1, "There is no", tmp_path / "absent", path)
    refused(2, "--beams=0 is no number of hypotheses", folder, path, "--beams=0")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "aigc_jax", "network": {"name": "mlp.Generator"}}))
    refused(1, "is of mlp.Generator: give the folder of a Whisper", tmp_path, path)


def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path):
    write(tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    path.write_text(path.read_text().replace("<|startoftranscript|>", "<|start|>"))
    with pytest.raises(UserError, match=r"has no <\|startoftranscript\|>: it is of another model"):
        transcriber(tmp_path / "other")
