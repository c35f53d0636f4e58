"""The help of LibreOffice as Debian packs it: pages in several languages, whose paragraphs have the same ids.

    apt-get download libreoffice-help-en-us libreoffice-help-zh-cn
    for package in libreoffice-help-*.deb; do dpkg -x $package FOLDER; done

A page is HTML. What it says is in the element DisplayArea. Of passages that differ by operating system or by module,
which a browser chooses from, the default is read, or else the first. Marks of what a thing is, such as an entry of a
menu, are kept as spans of the text.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, NamedTuple

from aigc_jax.data.files import printable
from aigc_jax.data.plain_text import content, decoded
from aigc_jax.errors import UserError
from aigc_jax.places import expanded

Language = Literal["en", "zh"]
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}
PACKAGES = {"en": "libreoffice-help-en-us", "zh": "libreoffice-help-zh-cn"}
WITHIN = "usr/share/libreoffice/help"  # of an unpacked package
MARKS = ("emph", "menuitem", "keycode", "literal", "input")  # classes of span; the rest are rare, or marked at times
CODE = {"code", "codeintable", "smathcode"}  # classes of p
UNREAD = {"pre", "script", "style", "noscript"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
HAN = re.compile(r"[\u3400-\u9fff]")
LETTER = re.compile(r"[^\W\d_]")
BODY = re.compile(r'<div id="DisplayArea".*?(?=<div id="SearchFrame">|<footer>|</body>|\Z)', re.DOTALL)
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
LICENCE = "MPL-2.0; some pages include Apache-2.0"
CITATION = "The help of LibreOffice, The Document Foundation"
HOMEPAGE = "https://packages.debian.org/libreoffice-help-en-us"


class Span(NamedTuple):
    """A part of a text that is marked. mark: one of `MARKS`."""

    start: int
    stop: int
    mark: str


class Paragraph(NamedTuple):
    """A paragraph or heading. spans: in their order, none within another."""

    id: str
    element: str  # "p", "h1", …
    code: bool
    text: str
    spans: tuple[Span, ...]


class Page(NamedTuple):
    """A page. name: its path below the folder of its language, such as swriter/guide/anchor_object.html."""

    name: str
    title: str
    paragraphs: tuple[Paragraph, ...]

    @property
    def module(self) -> str:
        """The part of LibreOffice that it is of: swriter, scalc, …"""
        return self.name.partition("/")[0]


@dataclass
class Element:
    """A node of a page's tree. inside: elements and texts."""

    tag: str
    attributes: dict[str, str]
    inside: list["Element | str"] = field(default_factory=list)


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if place := next((i for i in range(len(self.open) - 1, 0, -1) if self.open[i].tag == tag), 0):
            del self.open[place:]

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def tree(html: str) -> Element:
    """The elements of some HTML, below one without a tag."""
    parser = _Tree()
    parser.feed(html)
    parser.close()
    return parser.open[0]


def _shown(element: Element) -> list["Element | str"]:
    """What is inside an element; of passages that a browser chooses from the default, or else the first."""
    if element.attributes.get("class") not in ("switch", "switchinline"):
        return element.inside
    choices = [each for each in element.inside if isinstance(each, Element)]
    defaults = [each for each in choices if each.attributes.get("id", "").startswith("default")]
    return [*(defaults or choices)[:1]]


def _runs(element: Element, mark: str = "") -> Iterator[tuple[str, str]]:
    """The texts inside an element, each with the innermost mark around it."""
    for each in _shown(element):
        if isinstance(each, str):
            yield each, mark
        elif each.tag == "br":
            yield " ", mark
        elif each.tag not in UNREAD:
            own = each.attributes.get("class", "")
            yield from _runs(each, own if each.tag == "span" and own in MARKS else mark)


def marked(runs: Iterator[tuple[str, str]]) -> tuple[str, tuple[Span, ...]]:
    """Texts with their marks -> one text with single spaces, and its spans, which neither begin nor end with one."""
    text, marks = "", []
    for part, mark in runs:
        for character in part:
            if unicodedata.category(character) == "Cf":  # a hyphen that is not seen, a mark of direction
                continue
            if not character.isspace():
                text += character
                marks.append(mark)
            elif text and text[-1] != " ":
                text += " "
                marks.append(mark)
    spans, start = [], 0
    for i in range(1, len(marks) + 1):
        if i == len(marks) or marks[i] != marks[start]:
            left = start + (text[start] == " ")
            right = i - (text[i - 1] == " ")
            if marks[start] and left < right:
                spans.append(Span(left, right, marks[start]))
            start = i
    return text.rstrip(), tuple(spans)


def _paragraphs(element: Element) -> Iterator[Paragraph]:
    for each in _shown(element):
        if isinstance(each, str) or each.tag in UNREAD:
            continue
        if (each.tag == "p" or each.tag in HEADINGS) and "id" in each.attributes:
            text, spans = marked(_runs(each))
            code = each.attributes.get("class", "") in CODE
            yield Paragraph(each.attributes["id"], each.tag, code, text, spans)
        else:
            yield from _paragraphs(each)


def read_page(path: Path, name: str) -> Page:
    """A page's title and paragraphs. Raises UserError for a file that is no page of the help."""
    html, _ = decoded(path)
    body, title = BODY.search(html), TITLE.search(html)
    if not body or not title:
        raise UserError(f"{printable(path)} is no page of LibreOffice's help: unpack the package again.")
    said, _ = marked((each, "") for each in tree(title[1]).inside if isinstance(each, str))
    return Page(name, said, tuple(_paragraphs(tree(body[0]))))


def find(path: str, languages: Sequence[Language]) -> dict[Language, dict[str, Path]]:
    """Language -> page's name -> its file, of pages that all these languages have, in the order of their names.

    path: the folder into which the packages were unpacked, or one that holds en-US and zh-CN.
    Raises UserError where there are none.
    """
    folder = expanded(path)
    base = folder / WITHIN if (folder / WITHIN).is_dir() else folder
    found: dict[Language, dict[str, Path]] = {}
    for language in languages:
        root = base / LANGUAGES[language] / "text"
        found[language] = {file.relative_to(root).as_posix(): file for file in root.rglob("*.html") if file.is_file()}
        if not found[language]:
            raise UserError(
                f"There is no page of LibreOffice's help in {printable(root)}: fetch it with "
                f'"apt-get download {PACKAGES[language]} && dpkg -x {PACKAGES[language]}_*.deb {printable(folder)}".'
            )
    common = sorted(set.intersection(*(set(pages) for pages in found.values())))
    return {language: {name: pages[name] for name in common} for language, pages in found.items()}


def contents(found: Mapping[Language, dict[str, Path]]) -> Iterator[bytes]:
    """Names and bytes of the files, which tell one state of them from another."""
    for language, pages in found.items():
        for name, path in pages.items():
            yield from (language.encode(), os.fsencode(name), content(path))
