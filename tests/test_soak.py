"""The drills of `make soak`, a few of each."""

import numpy as np
import pytest
from support import write_idx

from tests.soak.drills import Field, damages, full_disks, kills, lost_folders
from tests.soak.laws import injections, meshes, refusals, remainders, rollbacks, spikes
from tests.soak.listening import requests

pytestmark = pytest.mark.long(part="soak")


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    return Field(folder, write_idx(folder / "idx"))


A_FEW = [
    (kills, 3),
    (damages, 1),
    (full_disks, 1),
    (lost_folders, 1),
    (meshes, 36),
    (injections, 4),
    (rollbacks, 2),
    (spikes, 2),
    (refusals, 4),
    (remainders, 2),
    (requests, 1),
]


@pytest.mark.parametrize(("drill", "count"), A_FEW, ids=lambda value: getattr(value, "__name__", None))
def test_nothing_is_lost(field, drill, count):
    result = drill(field, count, np.random.RandomState(0))
    if not result.count:
        pytest.skip(result.remarks)
    assert result.passed == result.count, result.faults


def test_a_drill_notices_what_it_looks_for(field):
    """A run whose metrics differ by one digit is not the same."""
    field.unbroken("ddpm_digits")
    metrics = field.folder / "unbroken_ddpm_digits" / "metrics.jsonl"
    text = metrics.read_text("utf-8")
    metrics.write_text(text[:-4] + ("1" if text[-4] != "1" else "2") + text[-3:], "utf-8")
    assert "metrics.jsonl differs" in field.fault("ddpm_digits", field.folder / "unbroken_ddpm_digits")
    metrics.write_text(text, "utf-8")
    assert field.fault("ddpm_digits", field.folder / "unbroken_ddpm_digits") == ""
