"""A family may read the networks of a finished run: their weights arrive, stay as they are and are saved nowhere."""

import importlib
import json
import shutil
import sys
import time
from functools import partial

import jax
import numpy as np
import pytest
from support import load_config

import aigc_jax.methods
from aigc_jax import console as command
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.conv_vae import ConvVAE
from aigc_jax.nn.mlp import VAE
from aigc_jax.train import loop, trained
from aigc_jax.train.workdir import Workdir

READER = '''
"""A network that learns from an image how far from the origin a trained VAE encodes it."""

from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.learner import initial_state
from aigc_jax.method import PerExample, Method
from aigc_jax.ops.batch import normals

NETWORKS = ("net",)
FROZEN = ("codec",)


def reader(learners, /, *, frozen: Any, weight: float):
    net, codec = learners["net"], frozen["codec"]

    def distance(state, images):
        return weight * jnp.sum(codec.apply(state.frozen["codec"], images, method="encode")[0] ** 2, axis=-1)

    def init(key, batch, frozen):
        return initial_state({"net": (net, net.init(key, batch.target))}, frozen)

    def step(key, state, batch):
        target = distance(state, batch.target)

        def loss(params, extra, key, batch):
            output, extra = net.apply(params, extra, batch[0], train=True, key=key)
            losses = (output - batch[1]) ** 2
            return losses, (extra, {"loss": jnp.mean(losses)})

        return net.update(key, state, loss, (batch.target, target))

    def evaluate(key, state, batch):
        return {"target": PerExample.of(distance(state, batch.target))}

    def sample(keys, state, given, plan):
        z = normals(keys, (codec.latent,))
        return jnp.tanh(codec.apply(state.frozen["codec"], z, method="decode")[..., 0])

    return Method(init, step, evaluate, sample)
'''


@pytest.fixture(scope="module")
def codec(on_small_data, tmp_path_factory):
    """(the run of a tiny VAE, its work directory after training)."""
    config = on_small_data(load_config("vae_fashion_mnist", "tiny"))
    run, workdir = build(config), Workdir(tmp_path_factory.mktemp("codec") / "run")
    loop.train(run, workdir, time.time())
    return run, workdir


@pytest.fixture
def config(on_small_data, codec, tmp_path, monkeypatch):
    """Of the family above, which the package finds beside its own."""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods" / "reader.py").write_text(READER, "utf-8")
    monkeypatch.setattr(aigc_jax.methods, "__path__", [*aigc_jax.methods.__path__, str(tmp_path / "methods")])
    importlib.invalidate_caches()
    gan = on_small_data(load_config("gan_fashion_mnist", "tiny"))
    yield {
        **gan,
        "networks": {"net": gan["networks"]["discriminator"]},
        "optimizers": {"net": gan["optimizers"]["discriminator"]},
        "method": {"name": "reader", "weight": 1.0},
        "frozen": {"codec": {"weights": f"run:{codec[1].folder}#net"}},
    }
    sys.modules.pop("aigc_jax.methods.reader", None)
    vars(aigc_jax.methods).pop("reader", None)


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_the_weights_of_another_run_arrive_averaged_and_on_the_mesh(config, codec):
    expected = trained.restore(*codec).weights("net")
    for parallel in ({}, {"data": 2, "fsdp": 4}):
        run = build({**config, "parallel": {**config["parallel"], **parallel}})
        frozen = run.programs.frozen
        equal(frozen["codec"]["params"], expected)
        split = [leaf.sharding.spec for leaf in jax.tree.leaves(frozen) if "fsdp" in leaf.sharding.spec]
        assert bool(split) == bool(parallel)
    described = {k: tuple(v) if isinstance(v, list) else v for k, v in codec[1].recorded()[1]["net"].items()}
    assert described.pop("name") == "conv_vae.ConvVAE"
    images = run.data.splits["test"][np.arange(8)]
    prepared = run.data.prepare(jax.random.key(0), images, False)
    state = run.programs.init().replace(frozen=frozen)
    found = run.programs.method.evaluate(jax.random.key(0), state, prepared)["target"].total
    mean, _ = ConvVAE(**described).apply({"params": expected}, prepared.target, method="encode")
    np.testing.assert_allclose(found, np.sum(np.asarray(mean) ** 2, axis=-1), rtol=1e-4)


def test_they_are_neither_moved_nor_saved_and_a_run_resumes_with_them(config, codec, tmp_path):
    workdir, broken = Workdir(tmp_path / "run"), Workdir(tmp_path / "broken")
    run = build(config)
    loop.train(run, workdir, time.time())
    items = {path.name for path in (workdir.checkpoints / str(run.pace.steps)).iterdir()}
    assert not [name for name in items if "codec" in name or "frozen" in name]
    shutil.copytree(workdir.folder, broken.folder)
    shutil.rmtree(broken.checkpoints / str(run.pace.steps))
    loop.train(build(config), broken, time.time())
    one, other = trained.restore(run, workdir), trained.restore(run, broken)
    equal(one, other)
    equal(run.programs.frozen["codec"]["params"], trained.restore(*codec).weights("net"))
    assert len(list(workdir.samples.iterdir())) == 1


def test_no_step_gives_them_up(config):
    """A run that goes back to an earlier state, twice, finds them where they were."""
    run = build(config, devices=jax.devices()[:1])
    programs, feed = run.programs, run.feeds["train"]
    before = jax.device_get(programs.frozen)
    for _ in range(3):
        state, sums = programs.init(), programs.start_sums()
        for items in feed.training(run.batch_size, run.seed, 0, 2, 1):
            state, sums = programs.train(state, sums, feed.resident, items)
        assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(programs.frozen))
        assert not state.frozen, "and no state has a second copy"
    equal(programs.frozen, before)


@pytest.mark.parametrize(
    ("change", "said", "kind"),
    [
        ({"weights": "run:nowhere#net"}, "There is no run in", UserError),
        ({"weights": "run:nowhere"}, "name a network of that run, as in run:nowhere#net", ConfigError),
        ({"weights": "file:nowhere"}, "There is no nowhere/config.json: a folder of weights has one", UserError),
        ({"weights": "somewhere"}, "has to be run:FOLDER#NETWORK, file:FOLDER, lpips:KIND or fresh:SEED", ConfigError),
        ({"weights": "lpips:squeeze"}, "is 'squeeze': set it with --config.frozen.codec.weights", ConfigError),
        ({"weights": "fresh:-1"}, "has to be an int, 0 to 4,294,967,295, and is -1", ConfigError),
        ({"weights": "fresh:0"}, '"frozen.codec.name" is required', ConfigError),
        ({"weights": "fresh:0", "name": "mlp.Denoiser"}, 'lacks "frozen.codec.width"', ConfigError),
        ({"weights": None}, '"frozen.codec.weights" is required', ConfigError),
        ({"weights": "run:{codec}#encoder"}, 'has no "encoder". Known: net.', ConfigError),
        ({"step": 3}, '"frozen.codec.step": the weights say what network they are of', ConfigError),
    ],
)
def test_what_is_not_there_is_named(config, codec, change, said, kind):
    change = {key: x.format(codec=codec[1].folder) if isinstance(x, str) else x for key, x in change.items()}
    wrong = {**config, "frozen": {"codec": {**config["frozen"]["codec"], **change}}}
    with pytest.raises(kind) as error:
        build(wrong)
    assert said in str(error.value)


def test_a_run_without_checkpoint_is_named(config, codec, tmp_path):
    shutil.copytree(codec[1].folder, tmp_path / "bare", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(UserError, match=r"There is no checkpoint in .*bare"):
        build({**config, "frozen": {"codec": {"weights": f"run:{tmp_path / 'bare'}#net"}}})
    assert not (tmp_path / "bare" / "checkpoints").exists(), "looking at a run writes nothing into it"


def test_names_are_those_that_the_family_reads(config):
    with pytest.raises(ConfigError, match="reads the trained networks codec; the configuration has none"):
        build({key: value for key, value in config.items() if key != "frozen"})
    plain = {**config["method"], "name": "vae"}
    with pytest.raises(ConfigError, match="reads the trained networks none; the configuration has codec"):
        build({**config, "method": plain})


FRESH = {"weights": "fresh:3", "name": "mlp.VAE", "widths": (8,), "latent": 2, "parameters": 1}


def test_an_untrained_network_is_the_same_each_time_and_is_called_so(config):
    """Its seed and its fields are all of it, and the data fill in the shape."""
    one, two, other = (
        build({**config, "frozen": {"codec": {**FRESH, "weights": weights}}})
        for weights in ("fresh:3", "fresh:3", "fresh:4")
    )
    equal(one.programs.frozen, two.programs.frozen)
    kernel = "posterior", "kernel"
    apart = [run.programs.frozen["codec"]["params"][kernel[0]][kernel[1]] for run in (one, other)]
    assert not np.array_equal(*apart)
    assert "frozen.codec is UNTRAINED (fresh:3)" in one.data.notes[-1]
    network = VAE(one.data.made.facts["shape"], (8,), 2, 1)
    wanted = network.init(jax.random.key(3), np.zeros((1, *network.shape), np.float32))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), one.programs.frozen["codec"], wanted)


def test_a_folder_of_weights_is_the_run_that_they_were_exported_from(config, codec, tmp_path):
    command.run("export", [str(codec[1].folder), str(tmp_path / "codec")], "aigc_jax export")
    wanted = build(config).programs.frozen
    equal(build({**config, "frozen": {"codec": {"weights": f"file:{tmp_path / 'codec'}"}}}).programs.frozen, wanted)
    described = json.loads((tmp_path / "codec" / "config.json").read_text("utf-8"))
    described["network"]["hidden"] += 8
    (tmp_path / "codec" / "config.json").write_text(json.dumps(described))
    differ = '"frozen.codec.weights" does not fit: .*decoder_hidden/bias is .*encoder_hidden/bias'
    with pytest.raises(ConfigError, match=differ):
        build({**config, "frozen": {"codec": {"weights": f"file:{tmp_path / 'codec'}"}}})
