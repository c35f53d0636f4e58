"""From a configuration to a run. The only place that imports a family or a network by name."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from aigc_jax import codecs, lookup, methods, places, sources
from aigc_jax.config import NETWORK, bind, check, nearest, settable_parameters
from aigc_jax.data import catalogue
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.meaning import Meaning, recalled, under
from aigc_jax.encoders import encoding
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate.judge import Judge, build_judge
from aigc_jax.learner import Decay, Learner, ema, merging, power
from aigc_jax.method import KNOWN, Codec, Method, PyTree
from aigc_jax.ops.averages import ZERO_OR_WIDTH, Width, kept_as
from aigc_jax.ops.optimizer import optimizer, rate_at
from aigc_jax.ranges import Amount, Count, Part, Pattern, Seed, Size
from aigc_jax.train.checkpoint import WHEN, Checkpoints
from aigc_jax.train.feed import Feed, example
from aigc_jax.train.journal import Tracking
from aigc_jax.train.programs import Programs
from aigc_jax.train.run import Evaluation, Judging, Pace, Run, Sampling
from aigc_jax.train.sharding import layout

IDENTITY = {"name": "identity"}  # the codec where a configuration has none
PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def build(
    config: Mapping[str, Any],
    data_dir: str | Path | None = None,
    devices: Sequence[jax.Device] | None = None,
    kept: Meaning | None = None,
    recall: bool = False,
) -> Run:
    """Checks every key of the configuration, and binds it to the code that reads it.

    data_dir: of prepared data sets; None = TFDS's own. devices: to run on; None = all. kept: what the data's numbers
    mean to the run that there is (`Workdir.kept`); None = there is none. recall: what is kept stands for the data set,
    which need not be at hand, for sampling; samples are not measured then.
    Raises ConfigError for a key that nothing reads, lacks, or holds a wrong value.
    """
    config = sources.filled(config)
    mesh = layout(devices or jax.devices(), **bind(layout, config["parallel"], "parallel"))
    pace = Pace(**bind(Pace, config["train"], "train"))
    saving = dict(config["checkpoint"])
    when = zip(WHEN, (Count, Amount), strict=True)
    save_every, save_minutes = (check(saving.pop(key), kind, f"checkpoint.{key}") for key, kind in when)
    evaluation = Evaluation(**bind(Evaluation, config["evaluate"], "evaluate"))
    own = {key: value for key, value in config["sample"].items() if key in Sampling._fields}
    sampling = Sampling(**bind(Sampling, own, "sample"))
    judgings = {name: Judging(**bind(Judging, each, f"evals.{name}")) for name, each in config["evals"].items()}
    judgings = {name: each for name, each in judgings.items() if each.samples}
    _check_intervals(pace, save_every, evaluation, sampling, judgings)
    keep = bind(Checkpoints, saving, "checkpoint")
    _check_best(keep["best"], save_every, evaluation, judgings)
    tracking = Tracking(**bind(Tracking, config["tracking"], "tracking"))

    section = dict(config["data"])
    batch_size = check(section.pop("batch_size", None), Size, "data.batch_size")
    recall = recall and kept is not None  # a run from before that was kept needs its data
    if kept is not None and recall:
        data = dataclasses.replace(recalled(kept), target=section.get("target", kept.target))
    else:
        data = catalogue.load(section, Path(data_dir) if data_dir else None)
        data = under(data, kept) if kept else data
    if "train" not in data.splits:
        raise ConfigError(
            " ".join([f"{data.name} has no split train to train on: {', '.join(data.splits)}.", *data.notes])
        )
    if evaluation.split not in data.splits:
        remedy = nearest(evaluation.split, data.splits)
        if evaluation.split in ("validation", "test"):  # spelled right: the data are too few, or all alike
            remedy += " Bring more, or measure on what is trained on: --config.evaluate.split=train."
        raise ConfigError(f'evaluate.split: {data.name} has no split "{evaluation.split}".{remedy}')
    frozen, weights, trained_by = sources.load_frozen(
        config, mesh, _dtype(config), {**data.given_facts, **data.made.facts}
    )
    coding, sections = config.get("codec", IDENTITY), config.get("encoders", {})
    codec, encoders = build_codec(coding, frozen, data.made.facts), build_encoders(sections, frozen, data)
    encoded = {f"{name}_{key}": value for name, each in encoders.items() for key, value in each.facts.items()}
    family = lookup.module(methods, config["method"]["name"], "method.name")
    made = {f"{name}_{key}": each for name in getattr(family, "MAKES", ()) for key, each in codec.facts.items()}
    read = data.given.get(getattr(family, "ENCODES", ""))
    facts = {**(read.facts if read else {}), **data.given_facts, **encoded, **made, **codec.facts}
    learners = build_learners(config, facts)
    learners, bases, begin = sources.begun(config, learners, mesh)
    data = dataclasses.replace(data, notes=(*data.notes, *sources.remarks(config, data)))
    rules = [
        rule
        for module in (*(learner.module for learner in learners.values()), *frozen.values())
        for rule in lookup.rules(module)
    ]
    codec_reads = [name for section in (coding, *sections.values()) for name in _reads(codecs, section["name"])]
    method = merging(bind_method(config["method"], learners, frozen, facts, codec_reads, trained_by), learners)
    method = encoding(method, encoders)
    as_it_is = coding["name"] == IDENTITY["name"]  # else no beginning of a target is known as the method writes it
    reads = tuple(name for name in method.reads if name in data.given or (name == KNOWN and as_it_is))
    seed = check(config["seed"], Seed, "seed")
    if evaluation.batch_size % mesh.rows:
        raise ConfigError(
            f'"evaluate.batch_size" is {evaluation.batch_size}, and cannot be split evenly over {mesh.rows} devices: '
            f"set --config.evaluate.batch_size to a multiple of {mesh.rows}."
        )
    shapes = example(data.splits["train"], batch_size, mesh)
    programs = Programs(method, codec, data, mesh, shapes, rules, seed, {**weights, **bases}, pace.spike, begin)
    feeds = {
        split: Feed(source, programs, split == "train" and not data.augment) for split, source in data.splits.items()
    }
    data = dataclasses.replace(data, notes=(*data.notes, *filter(None, [feeds["train"].remark])))
    run = Run(
        config=config,
        networks={name: lookup.described(learner.module) for name, learner in learners.items()},
        data=data,
        feeds=feeds,
        batch_size=batch_size,
        seed=seed,
        programs=programs,
        pace=pace,
        save_every=save_every,
        save_minutes=save_minutes,
        evaluation=evaluation,
        sampling=sampling,
        plan={},
        reads=reads,
        checkpoints=partial(Checkpoints, **keep),
        tracking=tracking,
        judgings=judgings,
        judges={},
        rates={name: rate_of(settings, pace.steps) for name, settings in config["optimizers"].items()},
    )
    run = drawing(run, config["sample"])
    run.asked(sampling.n)  # what cannot be asked is refused before anything is trained
    return run if recall else run._replace(judges={name: _judge(run, name) for name in judgings})


def drawing(run: Run, section: Mapping[str, Any]) -> Run:
    """The run that draws as the method's own keys of a section `sample` say."""
    plan = planned(run.programs.method, section)
    return run._replace(plan=plan, negative=str(section.get("negative", "")))


def planned(method: Method, section: Mapping[str, Any]) -> PyTree:
    """The method's plan of sampling, from the section `sample` without the keys that are every method's."""
    own = {key: value for key, value in section.items() if key not in Sampling._fields}
    if method.sample is None and not own:
        return {}
    known = (*Sampling._fields, *settable_parameters(method.plan))
    if unknown := [key for key in own if key not in known]:
        raise ConfigError(f'Nothing reads the configuration key "sample.{unknown[0]}".{nearest(unknown[0], known)}')
    return method.plan(**bind(method.plan, own, "sample"))


def build_codec(
    section: Mapping[str, Any], frozen: Mapping[str, linen.Module], facts: Mapping[str, Any], where: str = "codec"
) -> Codec:
    """How a field is written for the method. facts: of the field. where: the section's dotted name."""
    name = check(section.get("name"), str, f"{where}.name")
    codec = getattr(lookup.module(codecs, name, f"{where}.name"), name)
    if lacking := [network for network in _reads(codecs, name) if network not in frozen]:
        raise ConfigError(f"codec {name} reads a trained network: name it under frozen.{lacking[0]}.")
    return codec(facts, **bind(codec, section, where, {"frozen": frozen}))


def build_encoders(
    sections: Mapping[str, Mapping[str, Any]], frozen: Mapping[str, linen.Module], data: DataSet
) -> dict[str, Codec]:
    """How given fields are written for the method, by field, where they are not as they come."""
    if wrong := [name for name in sections if name not in data.given]:
        raise ConfigError(f'"encoders.{wrong[0]}" encodes nothing that is given.{nearest(wrong[0], data.given)}')
    return {
        name: build_codec(section, frozen, data.given[name].facts, f"encoders.{name}")
        for name, section in sections.items()
    }


def _reads(package: Any, name: str) -> tuple[str, ...]:
    """The trained networks that a codec's or a family's file needs. name: of one that is there."""
    return getattr(lookup.module(package, name, name), "FROZEN", ())


def build_learners(config: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Learner]:
    """Each network with its optimizer."""
    dtype = _dtype(config)
    steps = check(config["train"]["steps"], Size, "train.steps")
    if config["networks"].keys() != config["optimizers"].keys():
        raise ConfigError(
            f"networks ({', '.join(config['networks'])}) and optimizers ({', '.join(config['optimizers'])}) "
            "have to have the same names: give each network its optimizer."
        )
    learners: dict[str, Learner] = {}
    for name, section in config["networks"].items():
        fields = {key: value for key, value in section.items() if key not in NETWORK}  # `sources` reads `start`
        fresh = check(section.get("fresh", ""), Pattern, f"networks.{name}.fresh")
        module = lookup.network(fields, f"networks.{name}", dtype, facts)
        _check_facts(f"networks.{name}", module, facts)
        where, settings = f"optimizers.{name}", dict(config["optimizers"][name])
        own = (("accumulate", Size), ("trainable", Pattern))
        averages = _averages(name, settings, where)
        accumulate, trainable = (check(settings.pop(key, None), kind, f"{where}.{key}") for key, kind in own)
        kind = check(settings["name"], optimizer.__annotations__["kind"], f"{where}.name")
        tx = optimizer(kind, steps, **bind(optimizer, settings, where))
        learners[name] = Learner(name, module, tx, averages, accumulate, trainable, fresh=fresh)
    return learners


def _averages(network: str, settings: dict[str, Any], where: str) -> dict[str, Decay]:
    """Key in `State.ema` -> decay, from the keys of a section `optimizers.<network>`, which it takes out."""
    kinds = (("ema_decay", Part), ("ema_warmup", bool), ("ema_width", ZERO_OR_WIDTH), ("ema_widths", tuple[Width, ...]))
    decay, warmup, width, further = (check(settings.pop(key, None), kind, f"{where}.{key}") for key, kind in kinds)
    if decay and width:
        raise ConfigError(
            f'"{where}.ema_width" is {width}, and "{where}.ema_decay" {decay}: one is sampled with: set the other to 0.'
        )
    found = {network: power(width) if width else ema(decay, warmup)} if decay or width else {}
    return found | {kept_as(network, each): power(each) for each in further}


def rate_of(settings: Mapping[str, Any], steps: int) -> Callable[[int], float]:
    """Updates done -> the learning rate of the last of them. settings: a section `optimizers.<network>`."""
    peak, schedule, warmup = settings["learning_rate"], settings["schedule"], settings["warmup_steps"]
    reference = settings["reference_steps"]
    return lambda updates: rate_at(peak, schedule, warmup, steps, max(updates - 1, 0), reference)


def bind_method(
    section: Mapping[str, Any],
    learners: Mapping[str, Learner],
    frozen: Mapping[str, linen.Module],
    facts: Mapping[str, Any],
    codec_reads: Sequence[str] = (),
    trained_by: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Method:
    """The family that `method.name` names, with its learners, its frozen networks and its keys bound.

    trained_by: of frozen networks, the section `method` of the run that trained them.
    """
    module = lookup.module(methods, section["name"], "method.name")
    if set(module.NETWORKS) != set(learners):
        raise ConfigError(
            f"method {section['name']} trains the networks {', '.join(module.NETWORKS)}; "
            f"the configuration has {', '.join(learners) or 'none'}: name them so under networks and optimizers."
        )
    needs, uses = {*_reads(methods, section["name"]), *codec_reads}, getattr(module, "OPTIONAL", ())
    if not needs <= set(frozen) <= needs.union(uses):
        besides = f", and {' and '.join(uses)} where it is to use them" if uses else ""
        raise ConfigError(
            f"method {section['name']} reads the trained networks {', '.join(sorted(needs)) or 'none'}{besides}; "
            f"the configuration has {', '.join(frozen) or 'none'}: name them so under frozen."
        )
    family = getattr(module, section["name"])
    section = sources.agreeing(section, family, getattr(module, "AGREED", ()), trained_by)
    return family(learners, **bind(family, section, "method", {**facts, "frozen": frozen}))


def _check_facts(where: str, module: linen.Module, facts: Mapping[str, Any]) -> None:
    """Refuses a network that a configuration makes too small for the data: others would read beyond its tables.

    And one of more classes than the data has: samples would be of classes that nothing trained.
    """
    for field in (name for name in facts if name.rpartition("_")[2] in ("vocabulary", "length", "classes")):
        given = getattr(module, field, 0)
        if 0 < given < facts[field] or (field.endswith("classes") and given > facts[field]):
            raise ConfigError(f'"{where}.{field}" is {given}, and the data has {facts[field]}: set it to that.')


def _judge(run: Run, name: str) -> Judge:
    """Of the samples of an evaluation, with the evaluation split's examples for their floor."""
    asked = run.judgings[name]
    if run.programs.method.sample is None:
        raise ConfigError(f"evals.{name}.samples asks for samples of a model that generates nothing: set it to 0.")
    folders = places.weights(), places.cache("features")
    wanted = asked.samples, asked.measures, asked.extractor
    found = build_judge(run.data, asked.split, run.evaluation.split, *wanted, *folders, where=f"evals.{name}")
    found.check(run.given(asked.given).asked(asked.samples))
    return found


def _dtype(config: Mapping[str, Any]) -> Any:
    precision = config["precision"]
    if precision not in PRECISIONS:
        raise ConfigError(f'precision: there is no "{precision}".{nearest(precision, PRECISIONS)}')
    return PRECISIONS[precision]


def _check_best(best: str, save_every: int, evaluation: Evaluation, judgings: Mapping[str, Judging]) -> None:
    asked = judgings.get(best.partition("/")[0])
    key, every = "evaluate.every", evaluation.every
    if asked and asked.every:
        key, every = f"evals.{best.partition('/')[0]}.every", asked.every
    if best and (not every or not save_every or every % save_every):
        raise ConfigError(
            f'checkpoint.best is "{best}", and checkpoints are compared by what is measured when they are saved: set '
            f'{key} ({every}) to a multiple of checkpoint.every ({save_every}), or best to "".'
        )


def _check_intervals(
    pace: Pace, save_every: int, evaluation: Evaluation, sampling: Sampling, judgings: Mapping[str, Judging]
) -> None:
    """Whatever happens at intervals happens between two calls of the training program."""
    intervals = {
        "train.steps": pace.steps,
        "train.log_every": pace.log_every,
        "checkpoint.every": save_every,
        "evaluate.every": evaluation.every,
        **{f"evals.{name}.every": asked.every for name, asked in judgings.items()},
        "sample.every": sampling.every,
    }
    for key, interval in intervals.items():
        if interval % pace.steps_per_call:
            raise ConfigError(
                f"{key} is {interval}, and has to be a multiple of train.steps_per_call, {pace.steps_per_call}: "
                f"change one of them."
            )
