"""Image-to-image translation: an image of one field from an image of another.

Of pairs (x, y), pix2pix (Isola et al. 2017, arXiv:1611.07004):

    L_cGAN(G, D) = E[log D(x, y)] + E[log(1 - D(x, G(x, z)))]                                  (eq. 1)
    G*           = arg min_G max_D L_cGAN(G, D) + λ E|y - G(x, z)|                             (eq. 3, 4)

z is the generator's dropout. Of images that do not belong together, CycleGAN (Zhu et al. 2017, arXiv:1703.10593) and
DiscoGAN (Kim et al. 2017, arXiv:1703.05192), with generators G: X -> Y, F: Y -> X and a discriminator for each field:

    L = L_GAN(G, D_Y) + L_GAN(F, D_X) + λ (E d(F(G(x)), x) + E d(G(F(y)), y))                  (CycleGAN, eq. 2, 3)
        + λ_id (E|G(y) - y| + E|F(x) - x|)                                                     (section 5.2)

d is |.| in CycleGAN, which plays by least squares, and the square in DiscoGAN (eq. 3), which plays as pix2pix does. A
discriminator's loss is halved in all of them. Losses are means over patches and values.

The generators are parts of one network, and so are the discriminators, by the name of the field that each makes or
judges. So a state knows both directions of an unpaired task, and `data.target` says which one is sampled.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from aigc_jax.errors import ConfigError
from aigc_jax.learner import Learner, initial_state
from aigc_jax.method import Array, Batch, Frozen, Given, Key, Method, PerExample, PyTree, State
from aigc_jax.ops import adversarial, image_pool
from aigc_jax.ops.adversarial_diagnosis import OF_IMAGES, VARIETY, apart, diagnose
from aigc_jax.ops.batch import per_example
from aigc_jax.ranges import Amount, Count

NETWORKS = ("generator", "discriminator")
UNHALVED = {"least_squares": 2.0}  # CycleGAN's squares are without the 1/2 of `ops.adversarial`

Images = Mapping[str, Array]  # by field, [B, H, W, C]
View = tuple[Array, Array | None]  # what a discriminator judges: an image, and the one beside it of a pair


def _squared(x: Array) -> Array:
    return x**2


DISTANCES = {"l1": jnp.abs, "mse": _squared}


def translation(
    learners: Mapping[str, Learner],
    /,
    *,
    fields: tuple[str, str],
    task: Literal["paired", "unpaired"],
    loss: Literal["non_saturating", "minimax", "least_squares", "hinge", "relativistic"],
    l1: Amount = 0,
    cycle: Amount = 0,
    cycle_distance: Literal["l1", "mse"] = "l1",
    identity: Amount = 0,
    pool: Count = 0,
) -> Method:
    """A GAN from a generator (image, to, noisy) -> image and a discriminator (image, of, beside) -> outputs [B, h, w].

    `to` and `of` name the field of the image that is made or judged.

    fields: the two that hold images; `data.target` is one of them, and the other is given.
    task: paired = one way, with a discriminator of pairs; unpaired = both ways, with discriminators of single images.
    loss: the game (see `ops.adversarial`).
    l1: weight of the distance to the true image, of the paired task; 0 = none.
    cycle: weight of the distance of an image from itself there and back, of the unpaired task.
    cycle_distance: of values there and back: l1 = |.|, mse = its square.
    identity: weight of the distance of an image from itself as its own field's generator makes it; 0 = none.
    pool: generated images of each field that discriminators are shown again; 0 = none.
    """
    generator, discriminator = (learners[name] for name in NETWORKS)
    game, weight, distance = adversarial.GAMES[loss], UNHALVED.get(loss, 1.0), DISTANCES[cycle_distance]
    paired = task == "paired"
    _check(fields, paired, {"l1": l1}, {"cycle": cycle, "identity": identity})
    other = dict(zip(fields, reversed(fields), strict=True))

    def target(given: Mapping[str, Any]) -> str:
        return other[next(name for name in fields if name in given)]

    def images_of(batch: Batch) -> Images:
        to = target(batch.given)
        return {to: batch.target, other[to]: batch.given[other[to]]}

    def made_fields(batch: Batch) -> tuple[str, ...]:
        return (target(batch.given),) if paired else fields

    def translate(module: nn.Module, images: Images, made: tuple[str, ...]) -> dict[str, Array]:
        """Each of the fields `made` from the image of the other one."""
        return {to: module(images[other[to]], to=to, noisy=True) for to in made}

    def view(images: Images, to: str, image: Array) -> View:
        return image, images[other[to]] if paired else None

    def judge(module: nn.Module, views: Mapping[str, View]) -> dict[str, Array]:
        return {of: module(image, of=of, beside=beside) for of, (image, beside) in views.items()}

    def play(module: nn.Module, real: Mapping[str, View], fake: Mapping[str, View], player: Any) -> Array:
        """What a player minimises, the sum over fields, [B]."""

        def one(of: str) -> Array:
            return player(lambda seen: module(seen[0], of=of, beside=seen[1]), real[of], fake[of])

        return weight * _total(per_example(jnp.mean, one(of)) for of in real)

    def init(key: Key, batch: Batch, frozen: Frozen) -> State:
        _check_batch(fields, paired, batch)
        generator_key, discriminator_key = jax.random.split(key)
        images, made = images_of(batch), made_fields(batch)
        views = {to: view(images, to, images[to]) for to in made}
        networks = {
            "generator": (generator, generator.init(generator_key, images, made, method=translate)),
            "discriminator": (discriminator, discriminator.init(discriminator_key, views, method=judge)),
        }
        pools = {to: image_pool.empty(pool, views[to]) for to in made} if pool else {}
        return initial_state(networks, frozen, **({"pool": pools} if pool else {}))

    def step(key: Key, state: State, batch: Batch) -> tuple[State, Mapping[str, Array]]:
        noise_key, pool_key, discriminator_key = jax.random.split(key, 3)
        images, made = images_of(batch), made_fields(batch)
        real = {to: view(images, to, images[to]) for to in made}
        # With the noise of the generator's own pass, which XLA then computes once for both.
        fakes, _ = generator.apply(*generator.of(state), images, made, key=noise_key, method=translate)
        fakes = jax.lax.stop_gradient(fakes)
        shown, pools = {to: view(images, to, fakes[to]) for to in made}, {}
        for to, place_key in zip(made, jax.random.split(pool_key, len(made)), strict=True) if pool else ():
            shown[to], pools[to] = image_pool.exchanged(place_key, state.extra["pool"][to], shown[to])
        state, metrics = discriminator.update(discriminator_key, state, discriminate, (real, shown))
        state, more = generator.update(noise_key, state, generate(state, made), images)
        state = state.replace(extra={**state.extra, "pool": pools}) if pool else state
        return state, {**metrics, **more}

    def discriminate(params: PyTree, extra: PyTree, key: Key, part: tuple) -> tuple:
        losses, extra = discriminator.apply(params, extra, *part, game.discriminator, method=play)
        return losses / 2, (extra, {"discriminator_loss": jnp.mean(losses / 2)})

    def generate(state: State, made: tuple[str, ...]) -> Any:
        """The generator's loss against the discriminator of a state."""

        def distances(module: nn.Module, images: Images) -> tuple[Images, dict[str, Array]]:
            """(the fakes, what is added to the game's loss by name, [B] each)."""
            fakes, found = translate(module, images, made), {}
            if l1:
                found["l1"] = _total(per_example(jnp.mean, jnp.abs(fakes[to] - images[to])) for to in made)
            if cycle:
                back = translate(module, fakes, made)
                found["cycle"] = _total(per_example(jnp.mean, distance(back[to] - images[to])) for to in made)
            if identity:
                same = {to: module(images[to], to=to, noisy=True) for to in made}
                found["identity"] = _total(per_example(jnp.mean, jnp.abs(same[to] - images[to])) for to in made)
            return fakes, found

        def losses(params: PyTree, extra: PyTree, key: Key, images: Images) -> tuple:
            (fakes, far), extra = generator.apply(params, extra, images, key=key, method=distances)
            real, fake = ({to: view(images, to, each[to]) for to in made} for each in (images, fakes))
            won, _ = discriminator.apply(*discriminator.of(state), real, fake, game.generator, method=play)
            weights = {"l1": l1, "cycle": cycle, "identity": identity}
            total = _total([won, *(weights[name] * each for name, each in far.items())])
            return total, (extra, {"generator_loss": jnp.mean(won), **jax.tree.map(jnp.mean, far)})

        return losses

    def evaluate(key: Key, state: State, batch: Batch) -> Mapping[str, PerExample]:
        """accuracy: the share of patches that the discriminator tells rightly, real and fake counted alike.

        l1: how far samples of the paired task are from the true images (eq. 3).
        cycle_<field>: of the unpaired task, how far its images are from themselves there and back, in means of |.|.
        variety, of the unpaired task variety_<field>: the mean distance of two samples over that of two images.
        """
        images, made = images_of(batch), made_fields(batch)

        def there_and_back(module: nn.Module, images: Images) -> tuple[Images, Images]:
            fakes = translate(module, images, made)
            return fakes, {} if paired else translate(module, fakes, made)

        fakes, back = generator.predict(state, images, method=there_and_back, rngs={"dropout": key})
        on_real, on_fake = (
            discriminator.predict(state, {to: view(images, to, each[to]) for to in made}, method=judge)
            for each in (images, fakes)
        )
        right = [per_example(jnp.mean, adversarial.told_apart(loss, on_real[to], on_fake[to])) for to in made]
        names = {to: "l1" if paired else f"cycle_{to}" for to in made}
        found = fakes if paired else back
        measures = {name: per_example(jnp.mean, jnp.abs(found[to] - images[to])) for to, name in names.items()}
        measures["accuracy"] = jnp.mean(jnp.stack(right), 0)
        varieties = {
            VARIETY if paired else f"{VARIETY}_{to}": PerExample(apart(fakes[to]), apart(images[to])) for to in made
        }
        return {**{name: PerExample.of(values) for name, values in measures.items()}, **varieties}

    def sample(keys: Array, state: State, given: Given, plan: PyTree) -> Array:
        """An image of each of `given`, with dropout of its own key: float32 [n, H, W, C] in (-1, 1)."""
        to = target(given)

        def one(key: Key, image: Array) -> Array:
            return generator.predict(state, image[None], to=to, noisy=True, rngs={"dropout": key})[0]

        return jax.vmap(one)(keys, given[other[to]])

    return Method(
        init,
        step,
        evaluate,
        sample,
        reads=fields,
        targets=() if paired else fields,
        diagnose=functools.partial(diagnose, loss, said=OF_IMAGES),
    )


def _total(values: Iterable[Array]) -> Array:
    return functools.reduce(jnp.add, values)


def _check(fields: tuple[str, str], paired: bool, of_pairs: Mapping[str, float], of_both: Mapping[str, float]) -> None:
    """Raises ConfigError for settings that do not go together."""
    if fields[0] == fields[1]:
        raise ConfigError(f'"method.fields" names "{fields[0]}" twice: name the two fields that hold images.')
    for name, value in (of_both if paired else of_pairs).items():
        if value:
            task = "paired" if paired else "unpaired"
            raise ConfigError(f'"method.{name}" is {value:g}, and no part of the task "{task}": set it to 0.')


def _check_batch(fields: tuple[str, str], paired: bool, batch: Batch) -> None:
    """Raises ConfigError where the data are of other fields, or of images that the task cannot take."""
    given = [name for name in fields if name in batch.given]
    if len(given) != 1:
        there = ", ".join(batch.given) or "nothing"
        raise ConfigError(
            f'"method.fields" is {", ".join(fields)}, and what is given is {there}: name the target and one of these.'
        )
    x, y = batch.given[given[0]].shape[1:], batch.target.shape[1:]
    if x[:2] != y[:2] or not (paired or x == y):
        raise ConfigError(
            f'"method.task" takes images of one size, and unpaired ones of as many channels: those of {given[0]} are '
            f"{list(x)}, and the target's are {list(y)}."
        )
