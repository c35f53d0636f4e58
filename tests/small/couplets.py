"""Poems of two couplets, of characters that no other has."""

import json
from pathlib import Path

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
    return {**data, "path": str(write_poems(folder))}
