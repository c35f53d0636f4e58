"""python -m aigc_jax.data: what it prints, and one line for a mistake."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from aigc_jax.data.__main__ import main


def test_prepare(tmp_path, capsys):
    assert main(["prepare", "digits", f"--data_dir={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "train: 1,437 examples; test: 360 examples"
    assert [line.split(":")[0] for line in lines[1:]] == ["folder", "licence", "seconds"]
    assert str(tmp_path) in lines[1] and "CC BY 4.0" in lines[2]


def test_show_images(tmp_path, capsys):
    assert main(["show", "digits", f"--out={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "test: 360 examples; 0 31, 1 35, " in shown
    with Image.open(tmp_path / "digits.png") as sheet:
        assert sheet.size == (662, 662)  # 10 classes by 10 images of 8 pixels, enlarged 8 times, gaps of 2


def test_show_texts(tmp_path, capsys):
    assert main(["show", "sentences", "length=16", f"--out={tmp_path}"]) == 0
    assert "train: 5 examples of 4 texts, 65 tokens, vocabulary covers 100.00%" in capsys.readouterr().out
    sheet = (tmp_path / "sentences.txt").read_text("utf-8")
    assert "机器学习是一门有趣的学科。" in sheet and "Characters of a text" in sheet


@pytest.mark.parametrize(
    "arguments, code, says",
    [
        (["prepare", "digits", "--nonsense=1"], 2, "nonsense"),
        (["prepare", "idx"], 2, "data.path"),
        (["prepare", "idx", "--path=/nowhere"], 1, "/nowhere"),
        (["prepare", "sentences", "--length=long"], 2, "data.length"),
        (["show", "digitz"], 2, 'Did you mean "digits"'),
    ],
)
def test_mistakes_are_one_line(arguments, code, says, capsys, tmp_path):
    assert main([*arguments, f"--data_dir={tmp_path}"]) == code
    printed = capsys.readouterr()
    assert says in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_nothing_but_its_own_lines_and_no_tensorflow(tmp_path):
    code = (
        "import sys; from aigc_jax.data.__main__ import main\n"
        f"code = main(['prepare', 'digits', '--data_dir={tmp_path}'])\n"
        "sys.exit(code or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, timeout=100)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 4
