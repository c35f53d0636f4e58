"""Answers that belong to a page are scored, and all others are refused in one line."""

import json

import numpy as np
import pytest
from scipy.special import expit

from aigc_jax.errors import UserError
from aigc_jax.evaluate.__main__ import main
from aigc_jax.preference.page import matched

FOLDERS = ["runs/ddpm", "runs/gan", "runs/vae"]
STRENGTHS = np.array([1.0, 0.0, -1.0])
PAGE = "0123456789abcdef"


@pytest.fixture
def key(tmp_path):
    pairs = [[[folder, f"{number}.png"] for folder, number in pair] for pair in matched([50, 50, 50], 60, seed=0)]
    path = tmp_path / "page.key.json"
    path.write_text(json.dumps({"page": PAGE, "question": "Which?", "folders": FOLDERS, "pairs": pairs}))
    return path


@pytest.fixture
def answered(key, tmp_path):
    """A function: seed of a rater, who votes by STRENGTHS -> the file of answers."""

    def answer(seed, **changed):
        random, votes = np.random.RandomState(seed), []
        for number, (a, b) in enumerate(json.loads(key.read_text())["pairs"]):
            prefers_a = random.rand() < expit(STRENGTHS[a[0]] - STRENGTHS[b[0]])
            votes.append({"pair": number, "choice": "A" if prefers_a else "B"})
        path = tmp_path / f"answers-{seed}.json"
        path.write_text(json.dumps({"page": PAGE, "session": f"rater {seed}", "votes": votes, **changed}))
        return path

    return answer


def scored(key, *answers, out=None):
    main(["prefer", "score", *map(str, answers), "--key", str(key), *(["--out", str(out)] if out else [])])


def test_raters_of_known_strengths_are_scored(key, answered, tmp_path, capsys):
    scored(key, *(answered(seed) for seed in range(8)), out=tmp_path / "scores.json")
    score = json.loads((tmp_path / "scores.json").read_text())
    assert (score["page"], score["raters"], score["votes"]) == (PAGE, 8, 480)
    assert 0.4 < score["first"] < 0.6
    for folder, name, truth in zip(score["folders"], FOLDERS, STRENGTHS, strict=True):
        assert folder["folder"] == name
        assert folder["strength"]["low"] < truth < folder["strength"]["high"]
        assert folder["won"] + folder["tied"] + folder["lost"] == 320
    chance = next(each for each in score["chances"] if (each["folder"], each["over"]) == ("runs/ddpm", "runs/vae"))
    assert chance["low"] < expit(2) < chance["high"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == FOLDERS
    assert f"runs/ddpm over runs/vae: {chance['value']:.1%}" in "\n".join(lines)
    assert "votes: 480, raters: 8" in lines[-2]


def test_sides_are_turned_back(key, answered, tmp_path, capsys):
    """Someone who always takes the same folder is scored so, though it is on either side; ties count for neither."""
    votes = []
    for number, (a, b) in enumerate(json.loads(key.read_text())["pairs"]):
        folders = a[0], b[0]
        votes.append({"pair": number, "choice": "AB"[folders.index(1)] if 1 in folders else "tie"})
    scored(key, answered(0, votes=votes), out=tmp_path / "scores.json")
    counts = [
        [each[name] for name in ("won", "tied", "lost")]
        for each in json.loads((tmp_path / "scores.json").read_text())["folders"]
    ]
    assert counts == [[0, 20, 20], [40, 0, 0], [0, 20, 20]]
    assert "runs/gan never lost to the others" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"page": "fedcba9876543210"}, 'answers page "fedcba9876543210" and the key is of page "0123456789abcdef"'),
        ({"votes": []}, "holds no votes"),
        ({"votes": [{"pair": 60, "choice": "A"}]}, "on pair 60, and pairs are 0 to 59"),
        ({"votes": [{"pair": -1, "choice": "A"}]}, "on pair -1"),
        ({"votes": [{"pair": True, "choice": "A"}]}, "on pair True"),
        ({"votes": [{"pair": 1, "choice": "C"}]}, 'the vote "C" on pair 1.*votes A, tie, B'),
        ({"votes": [{"pair": 1, "choice": ["A"]}]}, "the vote"),
        ({"votes": [{"pair": 1, "choice": "A"}, {"pair": 1, "choice": "B"}]}, "two votes on one pair"),
        ({"votes": [{"pair": 1}]}, "holds no answers"),
        ({"votes": 7}, "holds no answers"),
        ({"votes": [{"pair": 0, "choice": "A"}]}, "No vote connects"),
    ],
)
def test_answers_that_do_not_fit(key, answered, changed, said):
    with pytest.raises(UserError, match=said) as error:
        scored(key, answered(0, **changed))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"page": "x"}'])
def test_files_that_are_damaged(key, answered, tmp_path, damage):
    bad = tmp_path / "bad.json"
    bad.write_bytes(damage)
    with pytest.raises(UserError, match=r"bad.json holds no answers \(.*download"):
        scored(key, answered(0), bad)
    with pytest.raises(UserError, match=r"bad.json is no key of a page \(.*give the .key.json"):
        scored(bad, answered(0))


def test_a_key_whose_pairs_are_of_other_folders(key, answered):
    key.write_text(key.read_text().replace('"runs/gan", ', ""))
    with pytest.raises(UserError, match="is no key of a page.*not of its folders"):
        scored(key, answered(0))


def test_files_that_are_not_there_or_given_twice(key, answered, tmp_path):
    with pytest.raises(UserError, match="absent.json cannot be read"):
        scored(key, tmp_path / "absent.json")
    with pytest.raises(UserError, match="answers of one rater.*give the newer alone"):
        scored(key, answered(0), answered(0))
