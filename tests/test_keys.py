"""docs/keys.md is what the signatures say, and says something about every key."""

import importlib.util

import pytest
from support import ROOT

pytestmark = pytest.mark.every_family


def script():
    spec = importlib.util.spec_from_file_location("keys", ROOT / "docs" / "keys.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current():
    keys = script()
    assert keys.page() == keys.PAGE.read_text("utf-8"), "run: python docs/keys.py"


def test_every_key_has_a_meaning():
    assert not [line for line in script().page().splitlines() if line.startswith("| `") and line.endswith("|  |")]
