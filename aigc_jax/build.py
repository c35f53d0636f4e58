"""From a configuration to a run. The only place that imports a family or a network by name."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from aigc_jax import methods, nn, places
from aigc_jax.config import bind, check, nearest
from aigc_jax.data import catalogue
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.meaning import Meaning, difference, recalled, under
from aigc_jax.errors import ConfigError
from aigc_jax.evaluate.judge import Judge, judge
from aigc_jax.learner import Learner, ema
from aigc_jax.method import Method, PyTree
from aigc_jax.ops.optimizer import optimizer, rate_at
from aigc_jax.ranges import Amount, Count, Part, Seed, Size
from aigc_jax.train.checkpoint import WHEN, Checkpoints
from aigc_jax.train.feed import Feed, example
from aigc_jax.train.journal import Tracking
from aigc_jax.train.programs import Programs
from aigc_jax.train.run import Evaluation, Pace, Run, Sampling, conditions_of
from aigc_jax.train.sharding import Layout, Rules, layout, shardings
from aigc_jax.train.trained import preferred
from aigc_jax.train.workdir import Workdir

PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Source(NamedTuple):
    """Section `frozen.<name>`: a network of a finished run."""

    workdir: str
    network: str


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
    mesh = layout(devices or jax.devices(), **bind(layout, config["parallel"], "parallel"))
    pace = Pace(**bind(Pace, config["train"], "train"))
    saving = dict(config["checkpoint"])
    when = zip(WHEN, (Count, Amount), strict=True)
    save_every, save_minutes = (check(saving.pop(key), kind, f"checkpoint.{key}") for key, kind in when)
    evaluation = Evaluation(**bind(Evaluation, config["evaluate"], "evaluate"))
    sampling = Sampling(**bind(Sampling, config["sample"], "sample"))
    _check_intervals(pace, save_every, evaluation, sampling)
    keep = bind(Checkpoints, saving, "checkpoint")
    _check_best(keep["best"], save_every, evaluation)
    tracking = Tracking(**bind(Tracking, config["tracking"], "tracking"))

    section = dict(config["data"])
    batch_size = check(section.pop("batch_size", None), Size, "data.batch_size")
    recall = recall and kept is not None  # a run from before that was kept needs its data
    if kept is not None and recall:
        data = recalled(kept)
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
    learners = build_learners(config, data.facts)
    frozen, weights = load_frozen(config, mesh)
    data = dataclasses.replace(data, notes=(*data.notes, *meant_otherwise(config, data)))
    rules = [
        rule
        for module in (*(learner.module for learner in learners.values()), *frozen.values())
        for rule in _rules(module)
    ]
    method = bind_method(config["method"], learners, frozen, data.facts)
    seed = check(config["seed"], Seed, "seed")
    if evaluation.batch_size % mesh.rows:
        raise ConfigError(
            f'"evaluate.batch_size" is {evaluation.batch_size}, and cannot be split evenly over {mesh.rows} devices: '
            f"set --config.evaluate.batch_size to a multiple of {mesh.rows}."
        )
    shapes = example(data.splits["train"], batch_size, mesh)
    programs = Programs(method, data.medium.prepare, mesh, shapes, rules, seed, weights, pace.spike)
    _check_condition(data, sampling, programs)
    judged = _judge(data, evaluation, sampling, method) if evaluation.samples and not recall else None
    return Run(
        config=config,
        networks={name: described(learner.module) for name, learner in learners.items()},
        data=data,
        feeds={split: Feed(source, programs) for split, source in data.splits.items()},
        batch_size=batch_size,
        seed=seed,
        programs=programs,
        pace=pace,
        save_every=save_every,
        save_minutes=save_minutes,
        evaluation=evaluation,
        sampling=sampling,
        checkpoints=partial(Checkpoints, **keep),
        tracking=tracking,
        judge=judged,
        rates={name: rate_of(settings, pace.steps) for name, settings in config["optimizers"].items()},
    )


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
        network = _network(section["name"], f"networks.{name}.name")
        module = network(**bind(network, section, f"networks.{name}", {**facts, "dtype": dtype}))
        _check_facts(f"networks.{name}", module, facts)
        where, settings = f"optimizers.{name}", dict(config["optimizers"][name])
        decay, warmup, accumulate = (
            check(settings.pop(key, None), kind, f"{where}.{key}")
            for key, kind in (("ema_decay", Part), ("ema_warmup", bool), ("accumulate", Size))
        )
        kind = check(settings["name"], optimizer.__annotations__["kind"], f"{where}.name")
        tx = optimizer(kind, steps, **bind(optimizer, settings, where))
        learners[name] = Learner(name, module, tx, {name: ema(decay, warmup)} if decay else {}, accumulate)
    return learners


def rate_of(settings: Mapping[str, Any], steps: int) -> Callable[[int], float]:
    """Updates done -> the learning rate of the last of them. settings: a section `optimizers.<network>`."""
    peak, schedule, warmup = settings["learning_rate"], settings["schedule"], settings["warmup_steps"]
    return lambda updates: rate_at(peak, schedule, warmup, steps, max(updates - 1, 0))


def load_frozen(config: Mapping[str, Any], mesh: Layout) -> tuple[dict[str, linen.Module], dict[str, PyTree]]:
    """The trained networks that the method reads: their modules, and their variables on the mesh.

    Each is a network of another run, read from that run's work directory alone: neither its data nor its
    configuration file are needed. Raises UserError where there is no such run.
    """
    modules: dict[str, linen.Module] = {}
    variables: dict[str, PyTree] = {}
    for name, section in config.get("frozen", {}).items():
        where = f"frozen.{name}"
        source = Source(**bind(Source, section, where))
        workdir = Workdir(source.workdir)
        settings, networks = workdir.recorded()
        if source.network not in networks:
            raise ConfigError(
                f'{where}.network: {workdir.folder} has no "{source.network}".{nearest(source.network, networks)}'
            )
        fields = networks[source.network]
        network = _network(fields["name"], where)
        modules[name] = network(**bind(network, fields, where, {"dtype": _dtype(config)}))
        keep = {key: value for key, value in settings["checkpoint"].items() if key not in WHEN}
        checkpoints, step = preferred(partial(Checkpoints, **bind(Checkpoints, keep, f"{where}.checkpoint")), workdir)
        place = partial(shardings, mesh, rules=_rules(modules[name]))
        variables[name] = checkpoints.restore_network(source.network, step, place)
    return modules, variables


def meant_otherwise(config: Mapping[str, Any], data: DataSet) -> Iterator[str]:
    """A line for each trained network to which classes or characters mean something else than they do here."""
    for name, section in config.get("frozen", {}).items():
        workdir = Workdir(section["workdir"])
        kept, fields = workdir.kept(), workdir.recorded()[1][section["network"]]
        if kept and (fields.get("classes") or fields.get("vocabulary")) and (differ := difference(data, kept)):
            yield f"Not the same to frozen.{name}: it was trained on {differ}."


def described(module: linen.Module) -> dict[str, Any]:
    """What a network was built from: its class, as `networks.*.name` has it, and its fields."""
    file, kind = type(module).__module__.rpartition(".")[2], type(module).__name__
    fields = [field.name for field in dataclasses.fields(module) if field.name not in ("parent", "name", "dtype")]
    return {"name": f"{file}.{kind}", **{field: getattr(module, field) for field in fields}}


def bind_method(
    section: Mapping[str, Any],
    learners: Mapping[str, Learner],
    frozen: Mapping[str, linen.Module],
    facts: Mapping[str, Any],
) -> Method:
    """The family that `method.name` names, with its learners, its frozen networks and its keys bound."""
    module = _module(methods, section["name"], "method.name")
    if set(module.NETWORKS) != set(learners):
        raise ConfigError(
            f"method {section['name']} trains the networks {', '.join(module.NETWORKS)}; "
            f"the configuration has {', '.join(learners) or 'none'}: name them so under networks and optimizers."
        )
    if set(reads := getattr(module, "FROZEN", ())) != set(frozen):
        raise ConfigError(
            f"method {section['name']} reads the trained networks {', '.join(reads) or 'none'}; "
            f"the configuration has {', '.join(frozen) or 'none'}: name them so under frozen."
        )
    family = getattr(module, section["name"])
    return family(learners, **bind(family, section, "method", {**facts, "frozen": frozen}))


def _check_facts(where: str, module: linen.Module, facts: Mapping[str, Any]) -> None:
    """Refuses a network that a configuration makes too small for the data: others would read beyond its tables.

    And one of more classes than the data has: samples would be of classes that nothing trained.
    """
    for field in ("vocabulary", "length", "classes"):
        given = getattr(module, field, 0)
        if field in facts and (0 < given < facts[field] or (field == "classes" and given > facts[field])):
            raise ConfigError(f'"{where}.{field}" is {given}, and the data has {facts[field]}: set it to that.')


def _check_condition(data: DataSet, sampling: Sampling, programs: Programs) -> None:
    """Refuses what cannot be asked of these data, or not of this network, which takes a second to trace."""
    condition = conditions_of(data, programs, sampling.condition, sampling.n)
    if condition is not None:
        programs.trace_sample(sampling.n, condition)


def _judge(data: DataSet, evaluation: Evaluation, sampling: Sampling, method: Method) -> Judge:
    """Of samples against the training split, with the evaluation split's for their floor."""
    if method.sample is None:
        raise ConfigError("evaluate.samples asks for samples of a model that generates nothing: set it to 0.")
    folders = places.weights(), places.cache("features")
    wanted = evaluation.samples, evaluation.measures, evaluation.extractor
    judged = judge(data, "train", evaluation.split, *wanted, *folders)
    judged.check(data.medium.condition(sampling.condition, evaluation.samples))
    return judged


def _rules(module: linen.Module) -> Rules:
    """What the network splits over the mesh's tensor axis."""
    return getattr(module, "TENSOR_RULES", ())


def _dtype(config: Mapping[str, Any]) -> Any:
    precision = config["precision"]
    if precision not in PRECISIONS:
        raise ConfigError(f'precision: there is no "{precision}".{nearest(precision, PRECISIONS)}')
    return PRECISIONS[precision]


def _network(name: str, where: str) -> Callable[..., Any]:
    module_name, _, class_name = name.partition(".")
    module = _module(nn, module_name, where)
    classes = [
        key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    if class_name not in classes:
        raise ConfigError(f'{where}: {module_name} has no network "{class_name}".{nearest(class_name, classes)}')
    return getattr(module, class_name)


def _module(package: Any, name: str, where: str) -> Any:
    known = [module.name for module in pkgutil.iter_modules(package.__path__)]
    if name not in known:
        raise ConfigError(f'{where}: there is no "{name}".{nearest(name, known)}')
    return importlib.import_module(f"{package.__name__}.{name}")


def _check_best(best: str, save_every: int, evaluation: Evaluation) -> None:
    if best and (not evaluation.every or not save_every or evaluation.every % save_every):
        raise ConfigError(
            f'checkpoint.best is "{best}", and checkpoints are compared by what is measured when they are saved: set '
            f'evaluate.every ({evaluation.every}) to a multiple of checkpoint.every ({save_every}), or best to "".'
        )


def _check_intervals(pace: Pace, save_every: int, evaluation: Evaluation, sampling: Sampling) -> None:
    """Whatever happens at intervals happens between two calls of the training program."""
    intervals = {
        "train.steps": pace.steps,
        "train.log_every": pace.log_every,
        "checkpoint.every": save_every,
        "evaluate.every": evaluation.every,
        "sample.every": sampling.every,
    }
    for key, interval in intervals.items():
        if interval % pace.steps_per_call:
            raise ConfigError(
                f"{key} is {interval}, and has to be a multiple of train.steps_per_call, {pace.steps_per_call}: "
                f"change one of them."
            )
