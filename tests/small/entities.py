"""Pages of the help, with paragraphs whose words are marked."""

from pathlib import Path

PAGE = '<html><title>{0}</title><body><div id="DisplayArea">{1}</div></body></html>'


def write_pages(folder: Path) -> Path:
    """80 pages: a heading, a paragraph of their own, one that all have, a short one, and one all of an entity."""
    base = folder / "en-US/text/swriter"
    base.mkdir(parents=True, exist_ok=True)
    same = "Press <span class='keycode'>Ctrl+S</span> to save it."
    for i in range(80):
        own = f"Choose <span class='menuitem'>Tools - Item{i}</span> to <span class='emph'>go</span> <b>on</b>."
        body = f"<h1 id='h'>Do go on with it</h1><p id='1'>{own}</p><p id='2'>{same}</p><p id='3'>Go {i} !</p>"
        body += "<p id='4'><span class='emph'>All of this here</span></p><p id='5' class='code'>a = b + c</p>"
        (base / f"{i}.html").write_text(PAGE.format("A page", body), "utf-8")
    return folder


def section(data, folder):
    return {**data, "path": str(write_pages(folder))}
