"""Curves are well-formed, lie within the picture, and stand on round ticks, whatever their range."""

from xml.etree import ElementTree

import pytest

from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.plot import HEIGHT, MARKED, PARTS, WIDTH, curves, intervals

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("span", [1e-9, 0.0499, 0.05, 0.14, 0.3, 0.5, 1, 7, 59, 1e6])
def test_curves_lie_on_the_page(span):
    low, middle, high = 0.7, 0.7 + span / 2, 0.7 + span
    series = {
        "a < b": [(10, Interval(low, low, low)), (1e4, Interval(middle, low, high))],
        "c": [(10, Interval(*[low] * 3))],
    }
    root = ElementTree.fromstring(curves(series, "labels & more", "accuracy", log_x=True))
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == 3
    assert all(0 < float(each.get("cx")) < WIDTH and 0 < float(each.get("cy")) < HEIGHT for each in circles)
    ticks = [each for each in root.findall(f"{SVG}text") if each.get("text-anchor") == "end"]
    assert 2 <= len(ticks) <= PARTS + 2
    assert "a < b" in [each.text for each in root.findall(f"{SVG}text")]


@pytest.mark.parametrize("real", [None, -3.0, 0.75])
def test_values_lie_on_the_page(real):
    values = {"b": Interval(0.8, 0.7, 0.9), "a & a": Interval(0.5, 0.4, 0.55)}
    root = ElementTree.fromstring(intervals("FD", values, real))
    circles = root.findall(f"{SVG}circle")
    assert [float(each.get("cx")) for each in circles] == sorted(float(each.get("cx")) for each in circles)
    assert all(0 < float(each.get("cx")) < WIDTH for each in circles)
    texts = [each.text for each in root.findall(f"{SVG}text")]
    assert texts.index("a & a") < texts.index("b") and any("real" in text for text in texts) == (real is not None)


def test_one_place_and_one_value_are_drawn_too():
    assert "<circle" in curves({"a": [(10, Interval(1, 1, 1))]}, "x", "y")


@pytest.mark.parametrize("low", [1e-9, 0.02, 1, 30])
@pytest.mark.parametrize("span", [1, 3, 1e2, 1e12])
def test_logarithmic_axes_begin_and_end_at_round_numbers(low, span):
    points = [(1 + step, Interval(*[low * span ** (step / MARKED)] * 3)) for step in range(MARKED + 1)]
    root = ElementTree.fromstring(curves({"a": points}, "step", "loss", log_y=True))
    heights = [float(pair.split(",")[1]) for pair in root.find(f"{SVG}polyline").get("points").split()]
    assert all(0 < height < HEIGHT for height in heights) and heights == sorted(heights, reverse=True)
    ends = [each for each in root.findall(f"{SVG}text") if each.get("text-anchor") == "end"]
    ticks = [float(each.text.replace(",", "")) for each in ends]
    assert len(ticks) <= 15 and all(f"{tick:e}"[0] in "125" for tick in ticks)
    assert not root.findall(f"{SVG}circle"), "too many points for a mark each"
