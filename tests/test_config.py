"""A configuration that is wrong is refused in one line that names the key."""

from typing import Literal

import pytest

from aigc_jax import command
from aigc_jax import config as c
from aigc_jax.errors import ConfigError
from aigc_jax.train.run import Pace


def reader(*, size: int, rate: float, kind: Literal["a", "b"], shape: tuple[int, ...], flag: bool, text: str) -> None:
    """A function whose arguments a section gives."""


GOOD = dict(size=3, rate=1, kind="a", shape=(1, 2), flag=True, text="x")


def full(**changes):
    return {
        "train": {"steps": 10},
        "data": {"name": "d", "path": c.REQUIRED, "batch_size": 32},
        "networks": {"net": {"name": "n"}},
        "optimizers": {"net": {}},
        "method": {"name": "m"},
        **changes,
    }


def test_bind_gives_the_arguments_and_turns_ints_into_floats():
    bound = c.bind(reader, GOOD, "s")
    assert bound == {**GOOD, "rate": 1.0}
    assert isinstance(bound["rate"], float)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": "3"}, '"s.size" has to be an int'),
        ({"size": True}, '"s.size" has to be an int'),
        ({"size": 1.0}, '"s.size" has to be an int'),
        ({"size": None}, '"s.size" is required'),
        ({"kind": "c"}, "one of 'a', 'b'"),
        ({"shape": (1, "b")}, '"s.shape" has to be a tuple (an int, …)'),
        ({"shape": 5}, '"s.shape" has to be a tuple'),
        ({"flag": 1}, '"s.flag" has to be true or false'),
        ({"text": 2}, '"s.text" has to be a string'),
        ({"sise": 2}, 'Did you mean "size"?'),
    ],
)
def test_bind_refuses(change, said):
    with pytest.raises(ConfigError) as caught:
        c.bind(reader, {**GOOD, **change}, "s")
    assert said in str(caught.value)
    assert caught.value.code == 2
    assert "\n" not in str(caught.value)


def test_the_fields_of_a_named_tuple_are_checked_too():
    with pytest.raises(ConfigError, match='"train.steps" has to be an int'):
        c.bind(Pace, {"steps": "many", "steps_per_call": 1, "log_every": 1}, "train")


def test_bind_asks_for_what_is_missing_and_fills_facts():
    section = {k: v for k, v in GOOD.items() if k != "size"}
    with pytest.raises(ConfigError, match=r"s\.size"):
        c.bind(reader, section, "s")
    assert c.bind(reader, section, "s", {"size": 7, "other": 1})["size"] == 7


def test_the_tiny_twin_changes_only_keys_that_exist():
    assert c.experiment("tiny", full(), {"train.steps": 2}).train.steps == 2
    assert c.experiment("full", full(), {"train.steps": 2}).train.steps == 10
    with pytest.raises(ConfigError, match=r"train\.stepz"):
        c.experiment("tiny", full(), {"train.stepz": 2})
    with pytest.raises(ConfigError, match=r"trian\.steps"):
        c.experiment("tiny", full(), {"trian.steps": 2})
    with pytest.raises(ConfigError, match="big"):
        c.experiment("big", full(), {})


def test_an_unknown_section_or_key_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r'"trian".*Did you mean "train"'):
        c.experiment("full", full(trian={}), {})
    with pytest.raises(ConfigError, match=r'"sample.nn"'):
        c.experiment("full", full(sample={"nn": 3}), {})


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--config.train.step=3", 'Did you mean "train.steps"?'),
        ("--config.train=3", "is a section"),
        ("--config.train.steps=many", '"train.steps" has to be an int, as 10 is, and is "many"'),
        ("--config.tracking.tensorboard=2", '"tracking.tensorboard" has to be True or False, and is "2"'),
        ("--config.train.steps=1e3", '"train.steps" has to be an int'),
        ("--noconfig.tracking.tensorbord", 'Did you mean "tracking.tensorboard"?'),
    ],
)
def test_unknown_overrides_are_refused(argument, said):
    with pytest.raises(ConfigError) as caught:
        c.check_overrides(c.experiment("full", full(), {}), ["main.py", "--workdir=x", argument])
    assert said in str(caught.value)


def test_known_overrides_pass():
    c.check_overrides(c.experiment("full", full(), {}), ["--config.train.steps=3", "--config=x.py", "--mode=train"])


def test_the_json_is_read_back_and_compared(tmp_path):
    config = c.experiment("full", full(), {})
    path = tmp_path / "config.json"
    path.write_text(c.to_json(config), "utf-8")
    assert c.compare(path, config) == []
    config.seed = 5
    assert c.compare(path, config) == ["seed"]


def test_required_values_take_strings_only():
    config = c.experiment("full", full(), {})
    assert config.data.path is None
    config.data.path = "there"
    with pytest.raises(TypeError):
        config.data.path = 3


def test_a_flag_that_is_the_end_of_a_key_is_told_the_key():
    arguments = ["main.py", "--config=configs/gpt_sentences.py:tiny", "--workdir=x"]
    with pytest.raises(ConfigError, match=r'no flag "--n". Did you mean --config.sample.n=…\?'):
        command.parse([*arguments, "--n=16"])
    with pytest.raises(ConfigError, match=r"--config.seed=… or --config.sample.seed=…|--config.sample.seed=… or"):
        command.parse([*arguments, "--seed=1"])
    with pytest.raises(ConfigError, match=r'no flag "--workdr". Did you mean "workdir"'):
        command.parse([*arguments, "--workdr=x"])
