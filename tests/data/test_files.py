"""A folder's files are those that a person put there."""

import os
from pathlib import Path

import pytest

from aigc_jax.data.files import listed, printable
from aigc_jax.errors import UserError


def names(listing, folder):
    return [str(path.relative_to(folder)) for path in listing]


def test_what_systems_leave_is_passed_over(tmp_path):
    kept = ["A.PNG", "b.png", "cats.png/1.png", "深/猫.Jpeg"]
    passed = [
        "._b.png",
        ".DS_Store",
        ".ipynb_checkpoints/b.png",
        "__MACOSX/b.png",
        "@eaDir/b.png",
        "$RECYCLE.BIN/b.png",
    ]
    for name in [*kept, *passed, "notes.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files, others = listed(tmp_path, (".png", ".jpeg"))
    assert names(files, tmp_path) == kept
    assert names(others, tmp_path) == ["notes.txt"]


def test_links_are_followed_once(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "a.png").touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "gone.png").symlink_to(tmp_path / "none")
    assert names(listed(folder, (".png",)).files, folder) == ["again/a.png"]


def test_a_name_that_is_no_utf8_has_a_place_in_the_order_and_in_messages(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).touch()
    (tmp_path / "a.png").touch()
    found = listed(tmp_path, (".png",)).files
    assert found == (tmp_path / "a.png", tmp_path / name)
    assert printable(Path(name)) == "caf\\xe9.png"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no folder .*none"):
        listed(tmp_path / "none", (".png",))
