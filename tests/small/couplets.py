"""A file of poems of four lines, with a few hundred couplets."""

import json

import numpy as np

CHARACTERS = list("春江花月夜山水風雲日月星辰天地玄黃宇宙洪荒松竹梅")
POEMS = 200


def section(data, folder):
    random = np.random.RandomState(0)
    folder.mkdir(parents=True, exist_ok=True)
    for dynasty in ("tang", "song"):
        poems = []
        for _ in range(POEMS):
            lines = ["".join(random.choice(CHARACTERS, 5)) for _ in range(4)]
            couplets = [f"{lines[0]}，{lines[1]}。", f"{lines[2]}，{lines[3]}。"]
            poems.append({"title": "無題", "author": "無名氏", "paragraphs": couplets})
        (folder / f"poet.{dynasty}.0.json").write_text(json.dumps(poems, ensure_ascii=False), "utf-8")
    return {**data, "path": str(folder)}
