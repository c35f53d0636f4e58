"""Where weights come from.

    run:FOLDER#NETWORK   a network of another run: its best checkpoint where one was measured, else its newest
    file:FOLDER          a folder of published weights: `aigc_jax.published`
    lpips:KIND           LPIPS's published weights, KIND alex or vgg: of a package, or a converted file
    fresh:SEED           random numbers

A frozen network, section `frozen.<name>`, has its weights from there, and a trained one begins with them,
`networks.<name>.start`. Of a run nothing but its folder is needed. What else of a configuration the weights decide is
`filled` in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import Parameter
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
from flax import linen
from ml_collections import ConfigDict

from aigc_jax import adapters, lookup, places, published
from aigc_jax.config import bind, check, leaves, literal, merged, nearest, settable_parameters
from aigc_jax.data.dataset import DataSet
from aigc_jax.data.meaning import difference
from aigc_jax.errors import ConfigError
from aigc_jax.learner import Adapter, Learner, check_fits
from aigc_jax.method import Frozen, PyTree
from aigc_jax.metrics.features import lpips
from aigc_jax.places import expanded
from aigc_jax.ranges import Seed
from aigc_jax.train.checkpoint import WHEN, Checkpoints
from aigc_jax.train.sharding import Layout, shardings
from aigc_jax.train.trained import preferred
from aigc_jax.train.workdir import Workdir

WEIGHTS = (".start", ".weights")  # how keys end that have a source
Place = Callable[[PyTree], PyTree]  # shapes -> shardings of the same tree


class Weights(NamedTuple):
    """The weights of one network, wherever they are."""

    network: Mapping[str, Any]  # its class under "name", and its fields; {} = the configuration says them
    load: Callable[[linen.Module, Place], PyTree]  # the variables of such a module, on the mesh
    workdir: Workdir | None = None  # of the run that trained it, where it is one of ours
    method: Mapping[str, Any] = MappingProxyType({})  # the section of that run's configuration
    trained: bool = True


def find(text: str, where: str) -> Weights:
    """What a text names. where: its key. Raises UserError where there is no such thing."""
    kind, _, what = text.partition(":")
    kinds = {"run": _run, "file": _file, "lpips": _lpips, "fresh": _fresh}
    if kind not in kinds or not what:
        forms = "run:FOLDER#NETWORK, file:FOLDER, lpips:KIND or fresh:SEED"
        raise ConfigError(f'"{where}" is "{text}", and has to be {forms}: set it with --config.{where}=…')
    return kinds[kind](what, where)


def filled(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with what it leaves to weights, so that a run keeps what it was.

    A network whose `name` is "" is of the class and the fields of its `start`; what its section gives besides stands.
    Where `data.tokenizer` is a key of weights, as "networks.net.start", the tokenizer is that of their folder.
    Raises UserError where weights are not there, or leave it open.
    """
    changed: dict[str, dict[str, Any]] = {}
    for name, section in config["networks"].items():
        if section.get("name") != "":
            continue
        where, own = f"networks.{name}.start", {key: section[key] for key in section if key != "name"}
        text = check(own.get("start"), str, where)
        if not (found := find(text, where).network):
            raise ConfigError(f'"networks.{name}.name" is "", and {text} does not say what network it is: name one.')
        changed.setdefault("networks", {})[name] = {**found, **own}
    where = config["data"].get("tokenizer", "")
    if where in (known := leaves(config)) and where.endswith(WEIGHTS):
        kind, _, what = check(known[where], str, where).partition(":")
        if kind not in ("run", "file"):
            raise ConfigError(f'"data.tokenizer" is "{where}", and {known[where]} has none: name a tokenizer.')
        folder = what.rpartition("#")[0] if kind == "run" else what
        changed["data"] = {"tokenizer": f"{kind}:{folder}"}
    return merged(config.to_dict() if isinstance(config, ConfigDict) else config, changed) if changed else config


def _run(what: str, where: str) -> Weights:
    folder, _, name = what.rpartition("#")
    if not folder:
        raise ConfigError(f'"{where}" is "run:{what}": name a network of that run, as in run:{what}#net.')
    workdir = Workdir(folder)
    config, networks = workdir.recorded()
    if name not in networks:
        raise ConfigError(f'{where}: {workdir.folder} has no "{name}".{nearest(name, networks)}')

    def load(module: linen.Module, place: Place) -> PyTree:
        keep = {key: value for key, value in config["checkpoint"].items() if key not in WHEN}
        checkpoints, step = preferred(partial(Checkpoints, **bind(Checkpoints, keep, f"{where}.checkpoint")), workdir)
        variables = checkpoints.restore_network(name, step, place)
        if section := config.get("adapters", {}).get(name):
            own = lookup.network(networks[name], where, getattr(module, "dtype", None), {})
            base = find(config["networks"][name]["start"], where).load(own, place)["params"]
            made = adapter(section, base, f"{where}: adapters.{name}")
            merge = jax.jit(lambda params, base: made.merge(params, made.kept(base)), out_shardings=place(base))
            variables["params"] = merge(variables["params"], base)
        return variables

    return Weights(networks[name], load, workdir, config["method"])


def _file(what: str, where: str) -> Weights:
    found = published.read(expanded(Path(what)))

    def load(module: linen.Module, place: Place) -> PyTree:
        variables = found.variables()
        return jax.tree.map(_put, variables, place(variables))

    return Weights(found.network, load)


def _lpips(what: str, where: str) -> Weights:
    kind = check(what, lpips.Kind, where)

    def load(module: linen.Module, place: Place) -> PyTree:
        variables, _ = lpips.load(kind, places.weights())
        return jax.tree.map(_put, variables, place(variables))

    return Weights({"name": "lpips.Lpips", "kind": kind}, load)


def _fresh(what: str, where: str) -> Weights:
    seed = check(literal(what), Seed, where)

    def load(module: linen.Module, place: Place) -> PyTree:
        if (init := _init(module, seed)) is None:
            raise ConfigError(
                f'"{where}" is "fresh:{what}", and {type(module).__name__} does not say its inputs: give its shape, '
                "where it has one, or name a run."
            )
        return jax.jit(init, out_shardings=place(jax.eval_shape(init)))()

    return Weights({}, load, trained=False)


def _init(module: Any, seed: int) -> Callable[[], PyTree] | None:
    """What makes variables; None where the network does not say its inputs."""
    example = module.example() if hasattr(module, "example") else None
    if example is None:
        return None
    inputs, options = example
    return lambda: module.init(jax.random.key(seed), *inputs, **options)


def _put(x: Any, sharding: jax.sharding.Sharding) -> jax.Array:
    return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])


class FrozenNetworks(NamedTuple):
    """The networks that the method and the codec read, by name."""

    modules: dict[str, linen.Module]
    variables: dict[str, PyTree]  # on the mesh
    trained_by: dict[str, Mapping[str, Any]]  # the section `method` of the run that trained it; {} = none of ours


def load_frozen(config: Mapping[str, Any], mesh: Layout, dtype: Any, facts: Mapping[str, Any]) -> FrozenNetworks:
    """What section `frozen` names. facts: of the data, for fields that a fresh network lacks.

    Raises UserError where there is no such network.
    """
    modules, variables, trained_by = {}, {}, {}
    for name, section in config.get("frozen", {}).items():
        where, fields = f"frozen.{name}", dict(section)
        found = find(check(fields.pop("weights", None), str, f"{where}.weights"), f"{where}.weights")
        if found.network and fields:
            raise ConfigError(f'"{where}.{min(fields)}": the weights say what network they are of: leave it out.')
        known = {} if found.network else facts
        modules[name] = lookup.network(found.network or fields, where, dtype, known)
        variables[name] = found.load(modules[name], _placing(mesh, modules[name]))
        if init := _init(modules[name], 0):
            check_fits(jax.eval_shape(init), variables[name], f"{where}.weights")
        trained_by[name] = found.method
    return FrozenNetworks(modules, variables, trained_by)


def agreeing(
    section: Mapping[str, Any], family: Callable, keys: Sequence[str], trained_by: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The section `method`, with what the runs of frozen networks of its kind say of these keys.

    Raises ConfigError where they say something else than it does.
    """
    parameters, found = settable_parameters(family), dict(section)
    defaults = {key: parameters[key].default for key in keys if parameters[key].default is not Parameter.empty}
    of_kind = {name: theirs for name, theirs in trained_by.items() if not theirs.keys().isdisjoint(keys)}
    for name, theirs in of_kind.items():
        known = {**defaults, **theirs}
        for key in keys:
            if key in known and found.setdefault(key, known[key]) != known[key]:
                raise ConfigError(
                    f'"method.{key}" is {found[key]!r}, and the run of frozen.{name} was trained with {known[key]!r}: '
                    f"name another run, or train with --config.method.{key}={known[key]}."
                )
    return found


def begun(
    config: Mapping[str, Any], learners: Mapping[str, Learner], mesh: Layout
) -> tuple[dict[str, Learner], Frozen, Callable[[], Frozen]]:
    """(the learners with their adapters, the variables that these adapt, what loads those that others start from).

    Variables have the keys `Learner.start`. The last is asked before a first step only.
    """
    adapting = config.get("adapters", {})
    if wrong := [name for name in adapting if name not in learners]:
        raise ConfigError(f'"adapters.{wrong[0]}" adapts no network.{nearest(wrong[0], learners)}')
    found, bases, starts = dict(learners), {}, {}
    for name, learner in learners.items():
        where, section = f"networks.{name}.start", adapting.get(name)
        text = check(config["networks"][name].get("start", ""), str, where)
        if text:
            starts[name] = partial(_loaded, text, where, learner.module, mesh)
        elif section:
            raise ConfigError(f'"adapters.{name}" adapts weights that are there: set --config.{where}=…')
        if learner.fresh and section:
            why = "an adapter begins as what it adapts"
            raise ConfigError(f'"networks.{name}.fresh" is "{learner.fresh}", and {why}: set it to "".')
        if section:
            base = starts.pop(name)()
            made = adapter(section, base["params"], f"adapters.{name}")
            bases[learner.start] = {**base, "params": jax.jit(made.kept)(base["params"])}
            found[name] = learner._replace(adapter=made)
    return found, bases, lambda: {learners[name].start: load() for name, load in starts.items()}


def adapter(section: Mapping[str, Any], base: PyTree, where: str) -> Adapter:
    """The adapter that a section describes, of weights of these shapes."""
    kind = check(section.get("name"), str, f"{where}.name")
    make = getattr(lookup.module(adapters, kind, f"{where}.name"), kind)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), base)
    arguments = bind(make, section, where)
    try:
        return make(shapes, **arguments)
    except ConfigError as error:
        raise ConfigError(f'"{where}": {error}') from error


def remarks(config: Mapping[str, Any], data: DataSet) -> Iterator[str]:
    """A line for each network whose weights are not what its reader may take them for.

    A part of it is fresh, it is untrained, or classes or characters mean something else to it than they do here.
    """
    for name, section in config["networks"].items():
        if (text := section.get("start")) and (fresh := section.get("fresh")):
            yield f'networks.{name} starts from {text}, but for weights whose paths have "{fresh}": these are random.'
    frozen = {f"frozen.{name}": section["weights"] for name, section in config.get("frozen", {}).items()}
    bases = {f"networks.{name}": config["networks"][name]["start"] for name in config.get("adapters", {})}
    for where, text in {**frozen, **bases}.items():
        found = find(text, where)
        if not found.trained:
            yield f"{where} is UNTRAINED ({text}): good for tests, and nothing that is learnt from it is worth keeping."
        kept = found.workdir.kept() if found.workdir else None
        numbered = any(found.network.get(field) for field in ("label_classes", "classes", "vocabulary"))
        if kept and numbered and (differ := difference(data, kept)):
            yield f"Not the same to {where}: it was trained on {differ}."


def _loaded(text: str, where: str, module: linen.Module, mesh: Layout) -> PyTree:
    return find(text, where).load(module, _placing(mesh, module))


def on_one_device(tree: PyTree) -> PyTree:
    """A `Place`: everything on the first device."""
    return jax.tree.map(lambda _: jax.sharding.SingleDeviceSharding(jax.devices()[0]), tree)


def _placing(mesh: Layout, module: linen.Module) -> Place:
    return partial(shardings, mesh, rules=lookup.rules(module))
