"""A configuration that is wrong is refused in one line that names the key."""

import runpy
from typing import Literal

import pytest
from support import ROOT

from aigc_jax import command, experiments
from aigc_jax import config as c
from aigc_jax.errors import ConfigError
from aigc_jax.experiments import Experiment
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


def test_a_fact_fills_only_what_has_no_default():
    def reader(*, classes: int = 0, shape: tuple[int, ...], length: int):
        """Reads three keys."""

    facts = {"classes": 10, "shape": (8, 8), "length": 5}
    assert c.bind(reader, {"length": 7}, "here", facts) == {"shape": (8, 8), "length": 7}


def test_the_tiny_twin_changes_only_keys_that_exist():
    assert c.resolved(full(), {"train.steps": 2}, "tiny").train.steps == 2
    assert c.resolved(full(), {"train.steps": 2}).train.steps == 10
    with pytest.raises(ConfigError, match=r"train\.stepz"):
        c.resolved(full(), {"train.stepz": 2}, "tiny")
    with pytest.raises(ConfigError, match=r"trian\.steps"):
        c.resolved(full(), {"trian.steps": 2}, "tiny")
    with pytest.raises(ConfigError, match="big"):
        c.resolved(full(), {}, "big")


def test_an_unknown_section_or_key_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r'"trian".*Did you mean "train"'):
        c.resolved(full(trian={}), {})
    with pytest.raises(ConfigError, match=r'"evaluate.nn"'):
        c.resolved(full(evaluate={"nn": 3}), {})


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
        c.check_overrides(c.resolved(full(), {}), ["main.py", "--workdir=x", argument])
    assert said in str(caught.value)


def test_known_overrides_pass():
    c.check_overrides(c.resolved(full(), {}), ["--config.train.steps=3", "--config=x.py", "--mode=train"])


def test_the_json_is_read_back_and_compared(tmp_path):
    config = c.resolved(full(), {})
    path = tmp_path / "config.json"
    path.write_text(c.to_json(config), "utf-8")
    assert c.compare(path, config) == []
    config.seed = 5
    assert c.compare(path, config) == ["seed"]


def test_a_key_that_is_newer_than_a_run_has_its_default_there(tmp_path):
    config = c.resolved(full(), {})
    older = config.to_dict()
    for network in older["optimizers"]:
        del older["optimizers"][network]["ema_widths"], older["optimizers"][network]["unit_norm"]
    del older["train"]["spike"]
    path = tmp_path / "config.json"
    path.write_text(c.to_json(older), "utf-8")
    assert c.compare(path, config) == []
    name = next(iter(older["optimizers"]))
    config.optimizers[name].ema_widths = (0.1,)
    assert c.compare(path, config) == [f"optimizers.{name}.ema_widths"]


def test_required_values_take_strings_only():
    config = c.resolved(full(), {})
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


# What an experiment starts from

DIGITS = experiments.load("ddpm_digits").to_dict()


def test_an_experiment_changes_what_it_starts_from():
    changes = {"networks.net.channels": 64, "sample": {"n": 9}, "evaluate.every": 5}
    wanted = c.merged(DIGITS, changes)
    del wanted["networks"]["net"]["remat"]
    found = Experiment(start="ddpm_digits", without=("networks.net.remat",), full=changes)
    assert found().to_dict() == wanted
    assert experiments.load("ddpm_digits").to_dict() == DIGITS


def test_a_section_with_a_name_takes_the_place_of_the_one_that_was_there():
    net = {"name": "mlp.Denoiser", "width": 8, "blocks": 1, "octaves": 2}
    assert Experiment(start="ddpm_digits", full={"networks.net": net})().networks.net.to_dict() == {
        **net,
        "start": "",
        "fresh": "",
    }
    assert Experiment(start="ddpm_digits", full={"networks.net.name": "x"})().networks.net.channels == 32


def test_of_several_starts_the_later_changes_the_earlier():
    found = Experiment(start=("ddpm_digits", "data/fashion_mnist"), full={"data.batch_size": 7})()
    assert found.data.name == "idx" and found.data.batch_size == 7
    assert found.evals.quality.extractor == "fashion_mnist" and found.networks.to_dict() == DIGITS["networks"]


def test_the_twin_of_the_start_carries_over_where_its_keys_are_still_there():
    one = Experiment(start="ddpm_digits", full={"networks.net.blocks": 3}, tiny={"method.bound_terms": 1})
    assert (
        one("tiny").networks.net.blocks == 1 and one("tiny").method.bound_terms == 1 and one().networks.net.blocks == 3
    )
    other = Experiment(start="ddpm_digits", without=("evals",), full={"networks.net": {"name": "n", "width": 8}})
    assert "quality" not in other("tiny").evals
    assert other("tiny").networks.net.to_dict() == {"name": "n", "width": 8, "start": "", "fresh": ""}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (dict(start="ddpm_digit", full={}), 'no configuration "ddpm_digit". Did you mean "ddpm_digits"?'),
        (dict(start="data/digit", full={}), 'Did you mean "data/digits"?'),
        (
            dict(start="ddpm_digits", full={"train.step": 3}),
            'key "train.step". Did you mean "train.steps"',
        ),
        (dict(start="ddpm_digits", full={"trian": {}}), 'Did you mean "train"?'),
        (dict(start="ddpm_digits", full={"train.steps.x": 3}), '"steps" is no section'),
        (
            dict(start="ddpm_digits", full={}, without=("evals.quality.smpl",)),
            'leave out. Did you mean "evals.quality.samples"',
        ),
        (dict(start="ddpm_digits", full={}, tiny={"networks.net.width": 3}), 'twin sets "networks.net.width"'),
        (dict(start="data/digits", full={}), "lacks the section networks"),
        (dict(start="PLAIN", full={}), "its get_config is no Experiment"),
        (dict(start="SELF", full={}), "starts from itself"),
    ],
)
def test_what_it_cannot_start_from_is_told_in_a_line(one, said, tmp_path):
    plain, itself = tmp_path / "plain.py", tmp_path / "itself.py"
    plain.write_text("def get_config(size='full'): ...\n")
    itself.write_text(
        f"from aigc_jax.experiments import Experiment\n\nget_config = Experiment(start={str(itself)!r}, full={{}})\n"
    )
    start = {"PLAIN": str(plain), "SELF": str(itself)}.get(one["start"], one["start"])
    with pytest.raises(ConfigError) as caught:
        Experiment(**{**one, "start": start})("tiny")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_anywhere_starts_from_a_name_or_from_the_file_beside_it(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "first.py").write_text(
        "from aigc_jax.experiments import Experiment\n\n"
        'get_config = Experiment(start="ddpm_digits", full={"train.steps": 7}, tiny={"train.steps": 3})\n'
    )
    (tmp_path / "mine" / "second.py").write_text(
        "from pathlib import Path\n\nfrom aigc_jax.experiments import Experiment\n\n"
        'get_config = Experiment(start=str(Path(__file__).parent / "first.py"), full={"seed": 5})\n'
    )
    monkeypatch.chdir(tmp_path)
    assert experiments.load("mine/second.py").to_dict() == {**c.merged(DIGITS, {"train.steps": 7}), "seed": 5}
    assert experiments.load("mine/second.py:tiny").train.steps == 3


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "data").glob("*.py")), ids=lambda path: path.stem)
def test_the_part_of_a_data_set_says_how_its_samples_are_judged(path):
    """Also where they are not: an experiment on other data is then not judged as on the first."""
    full, tiny = runpy.run_path(str(path))["get_config"].settings()
    asked = full["evals"]["quality"]
    assert full["data"]["name"] and {"samples", "extractor", "measures"} <= asked.keys()
    assert asked["samples"] or tiny["evals.quality.samples"] == 0


def test_a_command_line_may_begin_an_evaluation_or_an_adapter():
    config = experiments.load("gpt_sentences")
    given = ["evals.variety.samples=9", "evals.variety.measures=('distinct_2',)", "adapters.net.name=lora"]
    found = experiments.changed(config, ["train", *(f"--config.{each}" for each in given)])
    assert found.evals.variety.to_dict() == {"samples": 9, "measures": ("distinct_2",)}
    assert found.adapters.net.name == "lora" and found.evals.quality == config.evals.quality
    for wrong, said in (("evals.qualty.samples=9", "evals.qualty"), ("optimizer.net.b1=0.5", "optimizer")):
        with pytest.raises(ConfigError, match=f'no configuration key "{said}'):
            experiments.changed(experiments.load("gpt_sentences"), ["train", f"--config.{wrong}"])


def test_keys_that_continue_one_another_are_no_slips():
    """A family reads `augmentation` and `augmentation_target`: one may be given beside the other."""
    keys = {"augmentation": ("ada_blit",), "augmentation_target": 0.5, "r1": 1.0, "penalty_every": 4}
    given = [f"--config.method.{key}={value}" for key, value in keys.items()]
    found = experiments.changed(experiments.load("gan_fashion_mnist"), ["train", *given])
    assert {key: found.method[key] for key in keys} == keys
    with pytest.raises(ConfigError, match='no configuration key "method.latents"'):
        experiments.changed(experiments.load("gan_fashion_mnist"), ["train", "--config.method.latents=4"])
