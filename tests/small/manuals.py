"""The help of LibreOffice with a few dozen short pages, in English and Chinese."""

import numpy as np

WORDS = ("open", "the", "file", "menu", "and", "choose", "a", "new", "cell", "style", "for", "every", "page", "here")
CHARACTERS = "打开文件菜单并选择新的单元格样式"
PAGES = 100
PAGE = '<html><head><title>{0}</title></head><body><div id="DisplayArea"><h1 id="h1">{0}</h1>{1}</div></body></html>'


def section(data, folder):
    random = np.random.RandomState(0)
    for number in range(PAGES):
        for language, parts, between in (("en-US", WORDS, " "), ("zh-CN", CHARACTERS, "")):
            texts = [between.join(random.choice(list(parts), 12)) for _ in range(2)]
            paragraphs = "".join(f'<p id="p{i}" class="paragraph">{text} {number}.</p>' for i, text in enumerate(texts))
            module = ("swriter", "scalc")[number % 2]
            path = folder / language / "text" / module / f"{number:02d}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PAGE.format(f"{texts[0][:10]} {number}", paragraphs), "utf-8")
    return {**data, "path": str(folder)}
