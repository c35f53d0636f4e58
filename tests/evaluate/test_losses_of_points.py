"""The page's tables of losses are those of what is kept beside it, and every game is among them."""

import importlib.util
import json

import pytest
from support import ROOT, load_config

from aigc_jax.build import build
from aigc_jax.ops.adversarial import GAMES

spec = importlib.util.spec_from_file_location("rings", ROOT / "docs" / "rings.py")
rings = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rings)


def test_the_page_is_current():
    rows = json.loads(rings.KEPT.read_text("utf-8"))
    assert set(rows) == {f"{density}/{loss}" for density in rings.DENSITIES for loss in rings.LOSSES}
    text = rings.PAGE.read_text("utf-8")
    assert rings.page(text, rows) == text, "run: python docs/rings.py"


def test_every_game_is_held_to_known_modes():
    assert {changes["method.loss"] for changes in rings.LOSSES.values()} == set(GAMES)


@pytest.mark.parametrize("loss", rings.LOSSES)
def test_settings_are_those_that_the_family_has(loss):
    config = load_config("gan_points", "tiny")
    for key, value in {**rings.COMMON, **rings.LOSSES[loss]}.items():
        *sections, leaf = key.split(".")
        place = config
        for section in sections:
            place = place[section]
        place[leaf] = value
    assert build(config).programs.method.sample is not None
