"""The page of pairs in a real browser: voted on with keys, buttons and touch, downloaded, and scored."""

import json
import re
import shutil
import time

import numpy as np
import pytest
from PIL import Image

from aigc_jax.preference.page import PageKey, write
from aigc_jax.preference.votes import score

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if BROWSER is None:
    pytest.skip("no browser: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="no driver of browsers: pip install playwright")

QUESTION = "Which one looks more like a real photograph?"
PAIRS = 12
PATIENCE = 20  # seconds that a page may take to show the next pair
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        with_sandbox_off = ["--no-sandbox"]  # which containers do not allow; the page is our own
        running = driver.chromium.launch(executable_path=BROWSER, args=with_sandbox_off)
        yield running
        running.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(a page of images 28 × 28, its key)."""
    folder, random = tmp_path_factory.mktemp("pairs"), np.random.RandomState(0)
    for name, level in (("kestrel", 40), ("osprey", 200)):
        (folder / name).mkdir()
        for number in range(PAIRS):
            pixels = (level + random.randint(0, 50, (28, 28, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    out = folder / "page.html"
    return out, PageKey.load(write([folder / "kestrel", folder / "osprey"], out, QUESTION, PAIRS, 0, 0))


@pytest.fixture
def opened(browser):
    """A function: (page, how it is looked at) -> its tab. Errors, and requests to a network, fail the test."""
    contexts, wrong = [], []

    def open_page(path, **look):
        contexts.append(browser.new_context(**(look or DESKTOP)))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        tab.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        tab.goto(path.as_uri())
        settle(tab, 0)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


def press(tab, *keys):
    for key in keys:
        before = tab.evaluate("answers.votes.length")
        tab.keyboard.press(key)
        settle(tab, before + (-1 if key == "Backspace" else 1))


def settle(tab, votes):
    """Waits until so many votes are given and what comes next is on screen."""
    # By asking again and again: the driver's own waiting needs an eval, which the page's policy forbids.
    settled = "n => answers.votes.length === n && (shown === n || (shown === -1 && n === page.pairs.length))"
    until = time.monotonic() + PATIENCE
    while not tab.evaluate(settled, votes):
        assert time.monotonic() < until, tab.evaluate("[shown, answers.votes]")
        tab.wait_for_timeout(10)


def downloaded(tab, folder, button):
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name=button, exact=True).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_keys_buttons_and_images_vote_and_what_is_downloaded_is_scored(opened, made, tmp_path):
    page, key = made
    tab = opened(page)
    press(tab, "ArrowLeft", "ArrowDown", "ArrowRight", "Backspace", "ArrowDown")
    for number, name in enumerate(("A", "Neither", "B"), 3):
        tab.get_by_role("button", name=name, exact=True).click()
        settle(tab, number + 1)
    tab.locator("#B img").click()
    settle(tab, 7)
    tab.get_by_role("button", name="Undo").click()
    settle(tab, 6)
    press(tab, *["ArrowLeft"] * (PAIRS - 6))
    assert tab.get_by_role("heading", name="Thank you").is_visible()
    path = downloaded(tab, tmp_path, "Download answers")
    answers = json.loads(path.read_text())
    choices = ["A", "tie", "tie", "A", "tie", "B", *["A"] * (PAIRS - 6)]
    assert answers["votes"] == [{"pair": number, "choice": choice} for number, choice in enumerate(choices)]
    assert path.name == f"answers-{key.page}-{answers['session']}.json"
    found = score(key, [path], seed=0)
    assert found.votes == PAIRS and found.tally.ties.sum() == 2 * 3
    kestrel = sum(key.pairs[i]["AB".index(choice)].folder == 0 for i, choice in enumerate(choices) if choice != "tie")
    assert found.tally.wins.tolist() == [[0, kestrel], [PAIRS - 3 - kestrel, 0]]


def test_the_end_can_be_undone_and_a_held_key_votes_once(opened, made):
    tab = opened(made[0])
    press(tab, *["ArrowRight"] * PAIRS)
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("answers.votes.length") == PAIRS
    press(tab, "Backspace")
    assert tab.locator("#stage").is_visible() and not tab.locator("#end").is_visible()
    press(tab, "Backspace", "Backspace")
    tab.keyboard.down("ArrowLeft")
    settle(tab, PAIRS - 2)
    tab.keyboard.down("ArrowLeft")  # as a keyboard repeats it
    tab.wait_for_timeout(100)
    assert tab.evaluate("answers.votes.length") == PAIRS - 2


@pytest.mark.parametrize("forgets", ["localStorage.clear()", "history.replaceState(null, '')"])
def test_a_reload_loses_nothing_and_another_rater_starts_anew(opened, made, tmp_path, forgets):
    """Nor where one of the two places that keep the votes has none: a busy browser's store may lag behind."""
    tab = opened(made[0])
    press(tab, "ArrowLeft", "ArrowRight")
    early = json.loads(downloaded(tab, tmp_path, "Download answers so far").read_text())
    tab.evaluate(forgets)
    tab.wait_for_timeout(500)
    tab.reload()
    settle(tab, 2)
    assert tab.evaluate("answers") == {name: early[name] for name in ("session", "votes")}
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.get_by_role("button", name="Start over").click()
    settle(tab, 0)
    assert tab.evaluate("answers.session") != early["session"]


def test_another_page_in_the_same_place_has_no_votes(opened, made, tmp_path):
    page, other = made[0], tmp_path / "page.html"
    shutil.copy(page, other)
    tab = opened(other)
    press(tab, "ArrowLeft")
    write([page.parent / "kestrel", page.parent / "osprey"], tmp_path / "new.html", QUESTION, PAIRS, 0, 1)
    shutil.move(tmp_path / "new.html", other)
    tab.reload()
    settle(tab, 0)


def test_it_works_by_touch_on_a_phone(opened, made):
    tab = opened(made[0], **PHONE)
    for number, name in enumerate(("A", "Neither", "B"), 1):
        tab.get_by_role("button", name=name, exact=True).tap()
        settle(tab, number)
    assert tab.evaluate("answers.votes.map(vote => vote.choice)") == ["A", "tie", "B"]
    assert tab.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight"
    )
    for button in tab.get_by_role("button").all():
        if button.is_visible():
            assert button.bounding_box()["height"] >= 44  # CSS pixels, WCAG 2.2, 2.5.5


@pytest.mark.parametrize(
    "look", [DESKTOP, PHONE, {"viewport": {"width": 844, "height": 390}}], ids=["desktop", "phone", "lying"]
)
def test_images_are_large_sharp_and_do_not_move(opened, made, look):
    tab = opened(made[0], **look)
    boxes = []
    while len(boxes) < 3:
        boxes.append([tab.locator(f"#{name} img").bounding_box() for name in "AB"])
        press(tab, "ArrowLeft")
    assert boxes[0] == boxes[1] == boxes[2]
    scale = boxes[0][0]["width"] / 28 * look.get("device_scale_factor", 1)
    assert scale == pytest.approx(round(scale), rel=1e-3) and boxes[0][0]["height"] == boxes[0][0]["width"]
    assert boxes[0][0]["width"] >= min(300, look["viewport"]["height"] / 3)
    assert tab.locator("#A img").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"


def test_the_document_says_nothing_of_where_samples_are_from(opened, made):
    page, _ = made
    tab = opened(page)
    for _ in range(PAIRS):
        document = tab.content() + tab.locator("body").inner_text()
        assert not re.search("kestrel|osprey", document)
        assert [image.get_attribute("alt") for image in tab.locator("img").all()] == ["Image A", "Image B"]
        press(tab, "ArrowDown")
    assert page.name not in tab.content() and page.parent.name not in tab.content()


LUMINANCE = """colour => {
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [r, g, b] = colour.match(/[\\d.]+/g).map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(opened, made, scheme):
    """A contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3), in the system's light and dark."""
    tab = opened(made[0], **DESKTOP, color_scheme=scheme)

    def luminance(element, name):
        return tab.evaluate(LUMINANCE, element.evaluate(f"e => getComputedStyle(e).{name}"))

    paper = luminance(tab.locator("body"), "backgroundColor")
    assert (paper > 0.5) == (scheme == "light")
    press(tab, "ArrowLeft")
    tab.wait_for_timeout(200)
    for where in ("h1", "#count", "#choices button:first-child", "kbd", "#early", ".name"):
        element = tab.locator(where).first
        own = element.evaluate("e => getComputedStyle(e).backgroundColor")
        behind = paper if own == "rgba(0, 0, 0, 0)" else luminance(element, "backgroundColor")
        light, dark = sorted((luminance(element, "color"), behind))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5, where


def test_texts_are_shown_whole_and_run_nothing(opened, tmp_path):
    wild = '</script><img src=x onerror="window.ran = true">\n' + "春眠不覺曉，處處聞啼鳥。\n" * 80
    for name, text in (("kestrel", wild), ("osprey", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "poem.txt").write_text(text, "utf-8")
    write([tmp_path / "kestrel", tmp_path / "osprey"], tmp_path / "page.html", QUESTION, 2, 0, 0)
    tab = opened(tmp_path / "page.html", **DESKTOP)
    shown = {name: tab.locator(f"#{name} .content") for name in "AB"}
    assert sorted(each.evaluate("e => e.textContent") for each in shown.values()) == ["", wild]
    assert tab.evaluate("window.ran") is None
    assert shown["A"].bounding_box()["height"] == shown["B"].bounding_box()["height"] < 800
    press(tab, "ArrowLeft", "ArrowDown")
    assert tab.get_by_role("heading", name="Thank you").is_visible()
