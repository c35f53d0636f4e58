"""Failures of adversarial games are read from measures."""

import pytest

from aigc_jax.ops.adversarial import GAMES
from aigc_jax.ops.adversarial_diagnosis import COLLAPSED, DISCRIMINATOR_WON, OF_IMAGES, diagnose

WELL = {"accuracy": 0.985, "variety": 0.35, "real_logit": 9.0}  # the ends of what a run showed that went well


@pytest.mark.parametrize("loss", GAMES)
def test_what_goes_well_is_not_remarked_on(loss):
    assert not diagnose(loss, WELL) and not diagnose(loss, {})


@pytest.mark.parametrize("loss", GAMES)
def test_failures_are_told_with_what_to_try(loss):
    won = [] if loss == "wasserstein" else [DISCRIMINATOR_WON]
    assert diagnose(loss, {**WELL, "accuracy": 0.995}) == won
    assert diagnose(loss, {**WELL, "variety": 0.1}) == [COLLAPSED]
    assert diagnose(loss, {"accuracy": 1.0, "variety": 0.0}) == [*won, COLLAPSED]


def test_one_field_that_collapsed_is_enough():
    """Of two that are generated: one generator may give everything the same image while the other does well."""
    measures = {"accuracy": 0.8, "variety_noto": 0.9, "variety_fluent": 0.01}
    assert diagnose("least_squares", measures, OF_IMAGES) == [OF_IMAGES.collapsed]
    assert "method.cycle" in OF_IMAGES.collapsed and "method.r1" not in OF_IMAGES.collapsed
    assert not diagnose("least_squares", {**measures, "variety_fluent": 0.7}, OF_IMAGES)
