"""The help of LibreOffice in two languages, of pages that differ in a few words."""

from pathlib import Path

HEAD = "<!DOCTYPE html><html><head><title>{title}</title><script>var p = '<p id=\"x\">';</script></head><body>"
HEAD += '<header><p id="bar">LibreOffice 7.4 Help</p></header><div id="DisplayArea" itemscope="true">'
FOOT = '</div><div id="SearchFrame"></div><footer><p id="bm">This page is</p></footer></body></html>'
WORDS = ["red", "green", "blue", "white", "black", "brown", "grey", "pink", "gold", "silver"]
COLOURS = "红绿蓝白黑棕灰粉金银"
PAGES = 80


def page(title, *paragraphs):
    return HEAD.format(title=title) + "\n".join(paragraphs) + FOOT


def paragraph(number, text, css="paragraph"):
    return f'<p id="par_{number}" class="{css}" dir="auto">{text}</p>'


def write_manuals(folder: Path) -> Path:
    """80 pages in two languages, that share a paragraph, and have one of code and one that is not translated."""
    for i in range(PAGES):
        en, zh = (
            f"Paint the wall {WORDS[i % 10]} and {WORDS[i // 10]} tomorrow, please.",
            COLOURS[i % 10] + COLOURS[i // 10],
        )
        module = ("scalc", "swriter", "swriter")[i % 3]
        heading = '<h1 id="hd_1" dir="auto"><a name="x"></a>{}</h1>'.format
        rest = [paragraph(3, "x = 1", "code"), paragraph(4, "PRINT"), paragraph(5, "&nbsp; 12"), paragraph(7, "")]
        write(
            folder / f"en-US/text/{module}/{i:02d}.html",
            page(f"Colours {i}", heading(f"Colours {i}"), paragraph(2, en), *rest, paragraph(6, "Related Topics")),
        )
        write(
            folder / f"zh-CN/text/{module}/{i:02d}.html",
            page(
                f"颜色{i}",
                heading(f"颜色{i}"),
                paragraph(2, f"请您务必在明天上午把墙壁涂成{zh}两色。"),
                *rest,
                paragraph(6, "相关主题"),
            ),
        )
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def section(data, folder):
    return {**data, "path": str(write_manuals(folder))}
