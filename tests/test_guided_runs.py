"""Finished runs guided by others: from the command line and in Python, with networks that training did not have."""

import time

import jax
import numpy as np
import pytest
from support import load_config, on_small_data

import aigc_jax
from aigc_jax import modes
from aigc_jax.build import build
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.unet import UNet
from aigc_jax.train import loop
from aigc_jax.train.workdir import Workdir

pytestmark = pytest.mark.long(part="tools")
QUIET = {"tensorboard": False, "wandb": ""}

WEAKER = {
    "frozen.guide.weights": "fresh:1", "frozen.guide.name": "unet.UNet", "frozen.guide.channels": 4,
    "frozen.guide.multipliers": (1,), "frozen.guide.blocks": 1, "frozen.guide.attention": (),
    "frozen.guide.dropout": 0.0, "frozen.guide.groups": 2, "frozen.guide.label_classes": 0,
    "frozen.guide.shape": (8, 8, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A function: configuration -> the folder of a tiny run of it, on one device."""
    made = {}

    def trained(name):
        if name not in made:
            made[name] = str(tmp_path_factory.mktemp(name) / "run")
            config = on_small_data(load_config(name, "tiny"))
            fast = {"learning_rate": 3e-2, "warmup_steps": 0, "ema_decay": 0.0}  # so that it shows what is given
            small = {"evals": {}, "tracking": QUIET, "evaluate": {**config["evaluate"], "every": 0}}
            small["optimizers"] = {"net": {**config["optimizers"]["net"], **fast}}
            loop.train(build({**config, **small}, devices=jax.devices()[:1]), Workdir(made[name]), time.time())
        return made[name]

    return trained


def test_a_run_as_its_own_guide_leads_nowhere(runs, capsys):
    folder = runs("cddpm_digits")
    itself = aigc_jax.load(folder, {"frozen.guide.weights": f"run:{folder}#net"})
    assert "Other settings than in training: frozen.guide.weights." in capsys.readouterr().out
    plain = itself.sample(2, given=3, steps=3)
    assert np.abs(itself.sample(2, given=3, steps=3, autoguidance=3.0).astype(int) - plain).max() <= 1


def test_the_command_line_guides_as_python_does(runs):
    """By a class that samples are to be unlike, a weaker network, and a classifier that was trained alone."""
    folder = runs("cddpm_digits")
    guides = {**WEAKER, "frozen.classifier.weights": f"run:{runs('classifier_digits')}#net"}
    settings = {"guidance": 3.0, "negative": "8", "autoguidance": 1.5, "classifier_guidance": 9.0, "steps": 3}
    line = {**guides, **{f"sample.{key}": value for key, value in settings.items()}, "sample.n": 2, "sample.given": 3}
    arguments = [f"--config.{key}={value}" for key, value in line.items()]
    modes.run(["aigc_jax sample", f"--workdir={folder}", *arguments], time.time(), "sample")
    written = max(Workdir(folder).samples.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    model = aigc_jax.load(folder, guides)
    found = model.sample(2, given=3, **settings)
    with np.load(written) as arrays:
        assert set(arrays) == {"image", "label"}
        assert np.abs(arrays["image"].astype(int) - found).max() <= 1
    np.testing.assert_array_equal(model.sample(2, given=3, **{**settings, "negative": 8}), found)
    for change in ({"negative": 7}, {"autoguidance": 1.0}, {"classifier_guidance": 0.0}):
        assert (model.sample(2, given=3, **{**settings, **change}) != found).any()
    with pytest.raises(ConfigError, match=r"sample.guidance.*method.drop"):
        model.sample(2, given=3, **{**settings, "negative": ""})
    with pytest.raises(UserError, match='no class "cat"'):
        model.sample(2, given=3, **{**settings, "negative": "cat"})


def test_what_does_not_fit_is_said_in_a_line(runs):
    folder = runs("cddpm_digits")
    with pytest.raises(ConfigError, match=r"trained networks none, and guide and classifier where.*has teacher"):
        aigc_jax.load(folder, {"frozen.teacher.weights": f"run:{folder}#net"})
    flow = runs("flow_digits")
    said = r"method.schedule\" is 'flow', and the run of frozen.guide was trained with 'cosine'"
    with pytest.raises(ConfigError, match=said):
        aigc_jax.load(flow, {"frozen.guide.weights": f"run:{folder}#net"})
    with pytest.raises(ConfigError, match=r'sample.negative" is "3".*reads nothing'):
        aigc_jax.load(flow).sample(2, negative=3)


def test_a_classifier_asks_for_a_class_where_the_network_reads_none(runs):
    flow = runs("flow_digits")
    guided = aigc_jax.load(flow, {"frozen.classifier.weights": f"run:{runs('classifier_digits')}#net"})
    one, other = (guided.sample(2, given=given, classifier_guidance=50.0) for given in (3, 4))
    assert (one != other).any()
    with pytest.raises(UserError, match="is given nothing"):
        aigc_jax.load(flow).sample(2, given=3)


def test_a_teacher_says_what_the_configuration_leaves_out(runs):
    flow = runs("flow_digits")
    config = on_small_data(load_config("flow_digits", "tiny"))
    method = {"name": "consistency", "places": 5}
    sample = {key: config["sample"][key] for key in ("every", "n", "given", "seed")}
    asked = {**config, "frozen": {"teacher": {"weights": f"run:{flow}#net"}}, "method": method, "sample": sample}
    assert build({**asked, "evals": {}}, devices=jax.devices()[:1]).programs.method.reads == ()
    wrong = {**asked, "method": {**method, "prediction": "data"}}
    with pytest.raises(ConfigError, match=r"method.prediction.*--config.method.prediction=flow"):
        build(wrong, devices=jax.devices()[:1])


def test_a_u_net_says_its_inputs_where_it_knows_the_shape():
    fields = dict(channels=4, multipliers=(1, 1), blocks=1, attention=(), dropout=0.0, groups=2)
    assert UNet(**fields, label_classes=0).example() is None
    for classes in (0, 3):
        net = UNet(**fields, label_classes=classes, shape=(8, 8, 2))
        inputs, options = net.example()
        variables = jax.eval_shape(lambda net=net, i=inputs, o=options: net.init(jax.random.key(0), *i, **o))
        assert ("label" in variables["params"]) == (classes > 0)
        assert variables["params"]["out"]["kernel"].shape[-1] == 2
