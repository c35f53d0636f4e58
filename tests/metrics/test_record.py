"""A result is compared with those of its own protocol alone."""

import dataclasses

import pytest

from aigc_jax.errors import UserError
from aigc_jax.metrics.record import Protocol, Record, read_records, same_protocol

PROTOCOL = Protocol("FD", "fmnist", "ee" * 32, "test", 1000, 10_000, "small", "ab" * 32, "uint8", {"seed": 0})
RECORD = Record(PROTOCOL, 1.5, 1.4, 1.6, 0.2, "ddpm", 0, "cd" * 32, 100, 60.0, "cpu", "0.1.0")


def of(**changes):
    return dataclasses.replace(RECORD, protocol=dataclasses.replace(PROTOCOL, **changes))


def test_a_record_comes_back_as_it_was(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text(f"{RECORD.to_json()}\n{of(split='train').to_json()}\n", "utf-8")
    assert read_records(path) == [RECORD, of(split="train")]
    path.write_text(f'{RECORD.to_json()}\n{{"value": 3}}\n', "utf-8")
    with pytest.raises(UserError, match="line 2, holds no record"):
        read_records(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "train"}, "split: test and train"),
        ({"samples": 999}, "samples: 1000 and 999"),
        ({"extractor_sha256": "ff"}, "extractor_sha256"),
        ({"settings": {"seed": 0, "steps": 50}}, "settings.steps: absent and 50"),
    ],
)
def test_different_protocols_are_not_compared(changes, said):
    assert same_protocol([RECORD, RECORD]) == PROTOCOL
    with pytest.raises(UserError, match=said):
        same_protocol([RECORD, of(**changes)])
