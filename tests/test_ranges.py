"""Every number that a configuration may hold has a range, and one outside it is refused in one line at build."""

import importlib
import inspect
import pkgutil
import typing
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import pytest
from flax import linen
from support import load_config

from aigc_jax import adapters, methods, nn
from aigc_jax.build import _check_facts, build
from aigc_jax.config import OPTIMIZER, TRUNK, annotations, check, leaves, settable_parameters
from aigc_jax.data import catalogue
from aigc_jax.errors import ConfigError
from aigc_jax.ops.optimizer import optimizer
from aigc_jax.ranges import Amount, Count, Part, Range, Seed, Size, Sizes, above, at_least, below, between
from aigc_jax.train.checkpoint import Checkpoints
from aigc_jax.train.journal import Tracking
from aigc_jax.train.run import Evaluation, Pace, Sampling
from aigc_jax.train.sharding import layout


def files(package):
    return [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]


def readers():
    """Everything that a section is bound to, by the section's name and its own."""
    yield from (("trunk", each) for each in (Pace, Evaluation, Sampling, Tracking, Checkpoints, layout))
    yield "optimizers", optimizer
    yield from (("adapters", getattr(module, module.__name__.rpartition(".")[2])) for module in files(adapters))
    yield from (("method", getattr(module, module.__name__.rpartition(".")[2])) for module in files(methods))
    yield from (("data", catalogue.loader(name)) for name in catalogue.names())
    for module in files(nn):
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, linen.Module) and value.__module__ == module.__name__:
                yield "networks", value


READERS = [pytest.param(reader, id=f"{where}-{reader.__module__}.{reader.__qualname__}") for where, reader in readers()]


def without_range(kind: Any, limited: bool = False) -> bool:
    """Whether a number of this kind may be anything."""
    if typing.get_origin(kind) is Annotated:
        inner, *extras = typing.get_args(kind)
        return without_range(inner, any(isinstance(extra, Range) for extra in extras))
    if kind in (int, float):
        return not limited
    return any(without_range(inner) for inner in typing.get_args(kind) if inner is not Ellipsis)


def test_the_walk_tells_numbers_with_a_range_from_those_without():
    assert all(map(without_range, (int, float, tuple[int, ...], tuple[Size, float], int | None, Annotated[int, "x"])))
    assert not any(map(without_range, (str, bool, Size, Sizes, tuple[Amount, Size], Any, typing.Literal[1, 2])))
    assert len(READERS) > 30


@pytest.mark.every_family
@pytest.mark.parametrize("reader", READERS)
def test_every_number_of_a_signature_has_a_range(reader):
    hints = annotations(reader)
    assert not [name for name in settable_parameters(reader) if without_range(hints[name])]


RANGES = {
    "at least 1": (at_least(1), [1, 2, 2**31 - 1], [0, -1, 2**31]),
    "at least 1, or -1": (at_least(1, besides=-1), [-1, 1], [0, -2]),
    "above 0": (above(0), [1e-3, 1], [0, 0.0, -1.0, 1e-50]),
    "0 to 1": (between(0, 1), [0, 0.5, 1.0], [-0.1, 1.1]),
    "0 to 1, without 1": (below(1), [0, 0.0, 0.999999], [1, 1.0, 1 - 1e-9]),  # float32 has nothing between that and 1
    "0 to 1, without 0": (Range(0, 1, without_low=True), [1, 1e-6], [0]),
    "0 to 4,294,967,295": (between(0, 2**32 - 1), [2**32 - 1], [2**32]),
}


@pytest.mark.parametrize("said", RANGES)
def test_a_range_says_what_it_holds(said):
    limits, inside, outside = RANGES[said]
    assert str(limits) == said
    assert all(value in limits for value in inside)
    assert not any(value in limits for value in [*outside, np.nan, np.inf, -np.inf, 1e39, 10**400])


@pytest.mark.parametrize("kind", [Amount, Part, Count, Size, Seed])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 10**400, True, None, "1"])
def test_what_is_no_number_of_the_kind_is_refused(kind, value):
    with pytest.raises(ConfigError, match='^"a.b" '):
        check(value, kind, "a.b")


WRONG = {  # what cannot work, by its key
    "seed": -1,
    "train.steps": 0,
    "train.steps_per_call": 0,
    "train.log_every": -1,
    "train.max_skipped": 0,
    "train.spike": float("nan"),
    "evaluate.every": -2,
    "evaluate.batch_size": 0,
    "evaluate.batches": -1,
    "evals.quality.samples": 1,
    "evaluate.budget": -1.0,
    "sample.every": -2,
    "sample.n": 0,
    "sample.seed": -1,
    "checkpoint.every": -2,
    "checkpoint.minutes": -1.0,
    "checkpoint.keep_last": 1,
    "checkpoint.keep_best": -1,
    "checkpoint.keep_every": -1,
    "parallel.data": 0,
    "parallel.fsdp": -2,
    "parallel.tensor": 0,
    "data.batch_size": 0,
    "optimizers.net.learning_rate": float("nan"),
    "optimizers.net.warmup_steps": -1,
    "optimizers.net.b1": 1.0,
    "optimizers.net.b2": 1.0,
    "optimizers.net.eps": -1e-8,
    "optimizers.net.weight_decay": float("inf"),
    "optimizers.net.clip_norm": -1.0,
    "optimizers.net.ema_decay": 1.0,
    "optimizers.net.ema_width": 0.3,
    "optimizers.net.reference_steps": 0,
    "optimizers.net.accumulate": 0,
    "networks.net.channels": 2,
    "networks.net.multipliers": (),
    "networks.net.blocks": -1,
    "networks.net.attention": (-1,),
    "networks.net.dropout": 1.0,
    "networks.net.groups": 0,
    "networks.net.label_classes": -1,
    "method.timesteps": 1,
    "sample.steps": 0,
    "sample.eta": 1.5,
    "method.bound_terms": -1,
}


def changed(config, key, value):
    *parents, leaf = key.split(".")
    section = config
    for parent in parents:
        section = section[parent]
    assert leaf in section
    section[leaf] = value
    return config


@pytest.mark.parametrize("key", WRONG)
def test_a_number_out_of_range_is_refused_at_build(key):
    with pytest.raises(ConfigError) as caught:
        build(changed(load_config("ddpm_digits", "tiny"), key, WRONG[key]))
    said = str(caught.value)
    assert said.startswith(f'"{key}" has to be ') and f"and is {WRONG[key]!r}: set it with --config.{key}=" in said


def test_every_number_of_the_trunk_and_the_optimizers_is_tried():
    numbers = {key for key, value in leaves(TRUNK).items() if type(value) in (int, float)}
    numbers |= {f"optimizers.net.{key}" for key, value in OPTIMIZER.items() if type(value) in (int, float)}
    assert numbers <= set(WRONG)


UNFIT = {  # configuration, key, value -> what is said of it
    ("ddpm_digits", "networks.net.groups", 3): "has to divide the channels of the finest level, 4: one of 1, 2, 4",
    (
        "ddpm_digits",
        "networks.net.multipliers",
        (1, 1, 1, 1, 1),
    ): "can be halved 3 times: .* multiples of 16, such as 16",
    ("ddpm_digits", "networks.net.attention", (5,)): "names heights, of which there are 8, 4",
    ("gpt_sentences", "networks.net.heads", 3): "has to divide the width, 16: one of 1, 2, 4, 8, 16",
    ("gpt_sentences", "networks.net.length", 8): "the data has 24",
    ("gpt_sentences", "networks.net.vocabulary", 8): "the data has ",
    ("cddpm_digits", "networks.net.label_classes", 3): "the data has 10",
    ("cddpm_digits", "networks.net.label_classes", 11): "the data has 10",
    ("classifier_digits", "networks.net.widths", (12,)): "has to be of multiples of 8",
    ("classifier_digits", "networks.net.widths", (8, 8, 8, 8, 8)): "halves images of 8 × 8 to nothing",
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_network_that_does_not_fit_is_refused_by_its_key(case):
    name, key, value = case
    config = load_config(name, "tiny")
    *_, network, leaf = key.split(".")
    config["networks"][network][leaf] = value
    with pytest.raises(ConfigError, match=UNFIT[case]) as caught:
        build(config)
    assert str(caught.value).startswith(f'"{key}" is {value!r}, and ')


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("networks.generator.widths", (8, 8, 8), "multiples of 8, such as 24 or 32"),
        ("networks.discriminator.widths", (8, 8, 8), "multiples of 8, such as 24 or 32"),
    ],
)
def test_sizes_that_work_are_advised(on_small_data, key, value, said):
    with pytest.raises(ConfigError, match=said) as caught:
        build(changed(on_small_data(load_config("dcgan_fashion_mnist", "tiny")), key, value))
    assert key in str(caught.value)


ASKED = {  # what sampling and evaluation cannot do, by configuration
    ("gpt_sentences", "sample.given", "Zebra"): "is not in the vocabulary",
    ("gpt_sentences", "sample.given", "人" * 30): "The prompt",
    ("ddpm_digits", "sample.given", "3"): "is given nothing",
    ("ddpm_digits", "sample.given", "elephant"): "is given nothing",
    ("cddpm_digits", "sample.given", "elephant"): 'There is no class "elephant"',
    ("classifier_digits", "sample.given", "elephant"): "is given nothing",
    ("ddpm_digits", "evaluate.split", "tset"): 'Did you mean "test"',
    ("ddpm_digits", "evals.quality.extractor", "fashion_mnist"): "takes grey images of 28 × 28, and these are",
    ("ddpm_digits", "evals.quality.measures", ("class_accuracy",)): "sample.given=each",
    ("classifier_digits", "sample.given", "3"): "is given nothing",
    ("gan_points", "sample.given", "3"): "is given nothing",
    ("gpt_points", "sample.given", "3"): "is given nothing",
}


@pytest.mark.parametrize("case", ASKED)
def test_what_cannot_be_sampled_or_measured_is_refused_at_build(case):
    name, key, value = case
    with pytest.raises(Exception, match=ASKED[case]) as caught:
        build(changed(load_config(name, "tiny"), key, value))
    assert caught.value.code == 2


def test_a_measure_that_needs_more_samples_is_passed_over_where_others_remain(capsys):
    config = load_config("ddpm_digits", "tiny")
    config["evals"]["quality"] = {"samples": 20, "measures": ("frechet", "kid"), "extractor": "digits"}
    assert build(config).judges["quality"].names == ("KID-digits",)
    said = capsys.readouterr().err
    assert "FD-digits needs at least 65 samples, and has 20 drawn (evals.quality.samples)" in said
    assert "passed over" in said
    config["evals"]["quality"]["measures"] = ("frechet",)
    with pytest.raises(ConfigError, match="FD-digits needs at least 65 samples.*: leave it out"):
        build(config)


def test_what_can_be_asked_passes():
    config = load_config("cddpm_digits", "tiny")
    config["sample"]["given"] = "each"
    config["evals"] = {"classes": {"samples": 20, "measures": ("class_accuracy",), "extractor": "digits"}}
    assert build(config).judges["classes"].names == ("class_accuracy",)
    assert build(config).sampling.given == "each"


def test_tables_of_a_given_field_are_large_enough_too():
    """Facts of what is given have its name before them: `source_vocabulary`."""
    _check_facts("networks.net", SimpleNamespace(source_vocabulary=5, vocabulary=9), {"source_vocabulary": 5})
    with pytest.raises(ConfigError, match='"networks.net.source_vocabulary" is 4, and the data has 5'):
        _check_facts("networks.net", SimpleNamespace(source_vocabulary=4, vocabulary=9), {"source_vocabulary": 5})
