"""Networks that begin with weights from elsewhere: all of them move, some of them, or an adapter beside them."""

import re
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import load_config

from aigc_jax import console, published
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.transformer import Transformer
from aigc_jax.train import loop, trained
from aigc_jax.train.workdir import Workdir

ADAPTER = {"name": "lora", "rank": 2, "alpha": 4.0, "on": "attention"}
TOKENS = jnp.arange(8)[None] % 5 + 3


def configured(start, adapters=None, **optimizer):
    """A tiny GPT that starts from there."""
    config = load_config("gpt_sentences", "tiny")
    network, settings = config["networks"]["net"], config["optimizers"]["net"]
    return {
        **config,
        "networks": {"net": {**network, "start": start}},
        "optimizers": {"net": {**settings, "ema_decay": 0.5, "warmup_steps": 0, **optimizer}},
        **({"adapters": adapters} if adapters else {}),
    }


def moved(run, count=2):
    """The states before and after `count` steps."""
    programs, feed = run.programs, run.feeds["train"]
    state = programs.init()
    before, sums = jax.device_get(state), programs.start_sums()
    for items in feed.training(run.batch_size, run.seed, 0, count, 1):
        state, sums = programs.train(state, sums, feed.resident, items)
    return before, jax.device_get(state)


def leaves(tree):
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def same(one, other):
    return jax.tree.map(np.array_equal, one, other)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    """(a run that has trained an adapter of an untrained network, its folder)."""
    run = build(configured("fresh:3", {"net": ADAPTER}), devices=jax.devices()[:1])
    workdir = Workdir(tmp_path_factory.mktemp("adapted") / "run")
    loop.train(run, workdir, time.time())
    return run, workdir


def module(run):
    return Transformer(**{key: value for key, value in run.networks["net"].items() if key != "name"})


def logits(run, params):
    return module(run).apply({"params": params}, TOKENS, causal=True, train=False)


def test_an_adapter_trains_beside_a_base_that_stays_and_is_not_saved(adapted):
    run, workdir = adapted
    base = module(run).init(jax.random.key(3), TOKENS, causal=True, train=False)
    given = run.programs.frozen["networks.net.start"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), given, base)
    begun, ended = run.programs.init(), trained.restore(run, workdir)
    assert {path.rpartition("/")[2] for path in leaves(ended.weights("net"))} == {"a", "b"}
    assert not any(jax.tree.leaves(same(begun.params["net"], ended.weights("net"))))
    equal(build(run.config, devices=jax.devices()[:1]).programs.frozen, run.programs.frozen)
    saved = run.checkpoints(workdir.checkpoints).restore_network("net", run.pace.steps, one_device)
    assert jax.tree.structure(saved["params"]) == jax.tree.structure(begun.params["net"])
    assert "networks.net is UNTRAINED (fresh:3)" in run.data.notes[-1]


def one_device(tree):
    return jax.tree.map(lambda _: jax.sharding.SingleDeviceSharding(jax.devices()[0]), tree)


def test_an_adapter_and_its_base_are_split_over_a_mesh():
    found = []
    for parallel, devices in (({}, jax.devices()[:1]), ({"data": 2, "fsdp": 2, "tensor": 2}, jax.devices())):
        config = configured("fresh:3", {"net": ADAPTER}, name="sgd")
        config["networks"]["net"]["width"] = 32
        run = build({**config, "parallel": {**config["parallel"], **parallel}}, devices=devices)
        found.append(moved(run)[1])
    kernel = run.programs.frozen["networks.net.start"]["params"]["blocks_0"]["attention"]["qkv"]["kernel"]
    assert set(kernel.sharding.spec) >= {"fsdp", "tensor"}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), *(s.params for s in found))


def test_a_run_with_an_adapter_resumes_to_the_bit(adapted, tmp_path):
    run, workdir = adapted
    broken = Workdir(tmp_path / "broken")
    shutil.copytree(workdir.folder, broken.folder)
    shutil.rmtree(broken.checkpoints / str(run.pace.steps))
    again = build(run.config, devices=jax.devices()[:1])
    loop.train(again, broken, time.time())
    equal(trained.restore(again, broken), trained.restore(run, workdir))


def test_exported_weights_are_the_merged_ones(adapted, tmp_path):
    run, workdir = adapted
    console.run("export", [str(workdir.folder), str(tmp_path / "gpt"), "--format=gpt2"], "aigc_jax export")
    exported = leaves(published.read(tmp_path / "gpt").variables()["params"])
    state, base = trained.restore(run, workdir), run.programs.frozen["networks.net.start"]["params"]
    factors = leaves(state.weights("net"))
    for path, weight in leaves(base).items():
        if re.search("attention/.*kernel", path):
            weight = weight + 2.0 * jnp.tensordot(factors[f"{path}/a"], factors[f"{path}/b"], 1)
        np.testing.assert_allclose(exported[path], weight, atol=1e-6, err_msg=path)
    config = configured(f"file:{tmp_path / 'gpt'}")
    other = build(
        {**config, "data": {**config["data"], "tokenizer": f"file:{tmp_path / 'gpt'}"}}, devices=jax.devices()[:1]
    )
    assert other.data.made.meanings == run.data.made.meanings, "the tokenizer lies beside the weights"
    begun = other.programs.init()
    equal(leaves(begun.params["net"]), exported)
    # The adapter's run reads them merged.
    apart = np.subtract(*(logits(run, params) for params in (begun.params["net"], base)))
    assert np.abs(apart).max() > 1e-4
    np.testing.assert_allclose(run.measure(state)["bits_per_char"], other.measure(begun)["bits_per_char"], rtol=1e-6)


def test_a_base_of_8_bits_stays_beside_its_adapter_and_is_exported_so(tmp_path):
    """What trains, measures and is exported is one network: the rounded base with the adapter."""
    run = build(configured("fresh:3", {"net": {**ADAPTER, "bits": 8}}), devices=jax.devices()[:1])
    workdir = Workdir(tmp_path / "run")
    given = jax.device_get(run.programs.frozen)
    loop.train(run, workdir, time.time())
    equal(run.programs.frozen, given)
    kernel = run.programs.frozen["networks.net.start"]["params"]["blocks_0"]["mlp_in"]["kernel"]
    assert kernel.values.dtype == jnp.int8
    saved = trained.restore(run, workdir)
    assert {path.rpartition("/")[2] for path in leaves(saved.weights("net"))} == {"a", "b"}
    console.run("export", [str(workdir.folder), str(tmp_path / "gpt")], "aigc_jax export")
    other = build(configured(f"file:{tmp_path / 'gpt'}"), devices=jax.devices()[:1])
    measured = other.measure(other.programs.init())["bits_per_char"]
    np.testing.assert_allclose(run.measure(saved)["bits_per_char"], measured, rtol=1e-5)
    exported = published.read(tmp_path / "gpt").variables()["params"]["blocks_0"]["mlp_in"]["kernel"]
    np.testing.assert_allclose(exported, kernel.values * kernel.scale, rtol=1e-6)


def test_a_start_from_a_run_is_its_average_and_only_what_is_trainable_moves(adapted):
    source = f"run:{adapted[1].folder}#net"
    run = build(configured(source, trainable="blocks_1/mlp_in|norm/scale$"), devices=jax.devices()[:1])
    before, after = moved(run)
    equal(before.params, {"net": before.ema["net"]})
    kept = leaves(same(before.params["net"], after.params["net"]))
    norms = ("norm", *(f"blocks_{layer}/{kind}_norm" for layer in (0, 1) for kind in ("attention", "mlp")))
    wanted = {"blocks_1/mlp_in/kernel", "blocks_1/mlp_in/bias", *(f"{norm}/scale" for norm in norms)}
    assert {path for path, stays in kept.items() if not stays} == wanted
    moments = [x.shape for x in jax.tree.leaves(after.opt_state["net"]) if x.ndim]
    assert len(moments) == 2 * len(wanted)


def test_a_run_does_not_need_what_it_started_from_any_more(adapted, tmp_path):
    folder = tmp_path / "first"
    shutil.copytree(adapted[1].folder, folder)
    run, workdir = build(configured(f"run:{folder}#net"), devices=jax.devices()[:1]), Workdir(tmp_path / "second")
    loop.train(run, workdir, time.time())
    shutil.rmtree(folder)
    trained.restore(build(run.config, devices=jax.devices()[:1]), workdir)
    with pytest.raises(UserError, match="There is no run in"):
        build(run.config, devices=jax.devices()[:1]).programs.init()


def test_weights_that_do_not_fit_are_refused_with_every_mismatch(adapted):
    run, workdir = adapted
    config = configured(f"run:{workdir.folder}#net")
    network = {**config["networks"]["net"], "layers": run.networks["net"]["layers"] - 1, "length": 40}
    wrong = build({**config, "networks": {"net": network}}, devices=jax.devices()[:1])
    with pytest.raises(ConfigError, match=r'"networks.net.start" does not fit: ') as error:
        wrong.programs.init()
    last = f"blocks_{run.networks['net']['layers'] - 1}"
    assert str(error.value).count(f"{last}/") == 12
    assert f"{last}/mlp_in/bias is float32[64] there and absent in this configuration" in str(error.value)
    assert "positions/embedding is float32[" in str(error.value)
    with pytest.raises(ConfigError, match=r'"networks.net.start" does not fit: .*positions/embedding'):
        adapters = {"net": ADAPTER}
        build({**config, "networks": {"net": {**network, "start": f"run:{workdir.folder}#net"}}, "adapters": adapters})


@pytest.mark.parametrize(
    ("start", "adapters", "optimizer", "said"),
    [
        ("", {"net": ADAPTER}, {}, r'"adapters.net" adapts weights that are there: set --config.networks.net.start=…'),
        ("fresh:3", {"nut": ADAPTER}, {}, r'"adapters.nut" adapts no network. Did you mean "net"\?'),
        ("fresh:3", {"net": {**ADAPTER, "rank": 0}}, {}, r'"adapters.net.rank" has to be an int, at least 1, and is 0'),
        ("fresh:3", {"net": {**ADAPTER, "on": "("}}, {}, r'"adapters.net.on" has to be a string, a regular expression'),
        ("fresh:3", {"net": {**ADAPTER, "on": "conv"}}, {}, r'"adapters.net": the pattern "conv" is in no path'),
        ("fresh:3", {"net": {**ADAPTER, "name": "lara"}}, {}, r'adapters.net.name: there is no "lara". Did you mean'),
        ("", None, {"trainable": "conv"}, r'"optimizers.net.trainable" is \'conv\', and is in no path of a weight: '),
        ("", None, {"trainable": "("}, r'"optimizers.net.trainable" has to be a string, a regular expression'),
    ],
)
def test_what_cannot_be_is_refused_as_it_is_built(start, adapters, optimizer, said):
    with pytest.raises(ConfigError, match=said):
        build(configured(start, adapters, **optimizer), devices=jax.devices()[:1])
