"""Poems of two couplets: of characters that no other has, and of a few."""

import json
import random
from pathlib import Path

FEW = "春江花月夜山水風雲日月星辰天地玄黃宇宙洪荒松竹梅"
POETS = ("李白", "杜甫", "王維", "不詳")
QUOTED = "白日依山盡，黃河入海流。"
FIRST, SECOND = 0x4E00, 0x6E00  # where the characters of first and second lines begin


def verse(i):
    """A couplet of five characters a line, another one for each i."""
    first, second = ("".join(chr(start + 5 * i + j) for j in range(5)) for start in (FIRST, SECOND))
    return f"{first}，{second}。"


def write_poems(base: Path) -> Path:
    """120 poems of two couplets, most of them by Li Bai: 30 quote a third, one is there twice, another has a lacuna."""
    base.mkdir(parents=True, exist_ok=True)
    found = [
        {"title": "無題", "author": POETS[0 if i % 2 else (i // 2) % 4], "paragraphs": [verse(2 * i), verse(2 * i + 1)]}
        for i in range(120)
    ]
    for poem in found[:30]:
        poem["paragraphs"] += [QUOTED, "三句，不成。對。"]
    found += [{**found[0], "title": "又"}, {**found[1], "paragraphs": ["□□□□□，大雪滿弓刀。"]}]
    (base / "poet.tang.0.json").write_text(json.dumps(found[:70], ensure_ascii=False), "utf-8")
    (base / "poet.tang.1000.json").write_text(json.dumps(found[70:], ensure_ascii=False), "utf-8")
    return base


def section(data, folder):
    """200 poems of a few characters, so that a vocabulary holds them."""
    dice = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    for dynasty in ("tang", "song"):
        found = []
        for _ in range(200):
            lines = ["".join(dice.choices(FEW, k=5)) for _ in range(4)]
            couplets = [f"{lines[0]}，{lines[1]}。", f"{lines[2]}，{lines[3]}。"]
            found.append({"title": "無題", "author": POETS[0], "paragraphs": couplets})
        (folder / f"poet.{dynasty}.0.json").write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    return {**data, "path": str(folder)}
