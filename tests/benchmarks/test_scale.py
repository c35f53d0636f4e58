"""What is counted of scale agrees with counts by hand."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from aigc_jax.train.sharding import layout, shardings
from benchmarks.scale import collectives, hlo, page, roofline, standins, state
from benchmarks.scale.__main__ import RESULTS, main

EXACT = ("batch", "params", "state", "flops", "example_bytes", "weight_bytes")

TEXT = """HloModule step

%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(f32[] %x, f32[] %y)
}

%turn (p: (s32[], f32[8,16])) -> (s32[], f32[8,16]) {
  %in.1 = f32[8,16]{1,0} all-reduce(f32[8,16]{1,0} %q), replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add
}

ENTRY %main (a: f32[4]) -> f32[4] {
  %w = (s32[], f32[8,16]) while(%t), condition=%c, body=%turn, backend_config={"known_trip_count":{"n":"5"}}
  %both = (f32[100]{0}, bf16[50]{0}) all-reduce(%a, %b), replica_groups=[1,8]<=[8], to_apply=%add
  %g = (f32[10]{0}, f32[80]{0}) all-gather-start(f32[10]{0} %a), replica_groups=[1,8]<=[8], dimensions={0}
  %d = f32[80]{0} all-gather-done(%g)
  %s = f32[10]{0} reduce-scatter(f32[40]{0} %a), replica_groups=[2,4]<=[8], dimensions={0}, to_apply=%add
  %e = (f32[2]{0}, f32[2]{0}) all-to-all(%a, %b), replica_groups={{0,1},{2,3},{4,5},{6,7}}
  %p = (f32[6]{0}, f32[6]{0}, u32[], u32[]) collective-permute-start(%a), source_target_pairs={{0,1},{1,0},{2,2}}
  %own = f32[99]{0} all-reduce(%a), replica_groups={{0},{1},{2},{3},{4},{5},{6},{7}}, to_apply=%add
}
"""


def test_the_parser_counts_what_a_hand_does():
    found = hlo.collectives(TEXT, 8)
    assert [(one.kind, one.group, one.result, one.times) for one in found] == [
        ("all-reduce", 4, 512, 5),
        ("all-reduce", 8, 500, 1),
        ("all-gather", 8, 320, 1),
        ("reduce-scatter", 4, 40, 1),
        ("all-to-all", 2, 16, 1),
        ("collective-permute", 8, 24, 1),
    ]
    by_hand = [5 * 2 * 3 / 4 * 512, 2 * 7 / 8 * 500, 7 / 8 * 320, 3 * 40, 16 / 2, 24 * 2 / 8]
    assert [one.sent for one in found] == by_hand
    assert hlo.by_kind(found)["all-reduce"] == {"count": 6, "sent": by_hand[0] + by_hand[1]}


def test_compiled_collectives_are_those_that_were_written():
    plan, rows = layout(jax.devices(), data=8, fsdp=1, tensor=1, compile="jit"), PartitionSpec("data")

    def written(x):
        scattered = jax.lax.psum_scatter(x, "data", tiled=True)
        return jax.lax.psum(x, "data"), jax.lax.all_gather(scattered, "data", tiled=True), scattered

    mapped = jax.shard_map(
        written, mesh=plan.mesh, in_specs=rows, out_specs=(PartitionSpec(), PartitionSpec(), rows), check_vma=False
    )
    text = jax.jit(mapped).lower(jax.ShapeDtypeStruct((8 * 64, 3), jnp.float32)).compile().as_text()
    sent = {kind: x["sent"] for kind, x in hlo.by_kind(hlo.collectives(text, 8)).items()}
    size = 64 * 3 * 4
    assert sent == {"all-reduce": 14 / 8 * size, "all-gather": 7 / 8 * size, "reduce-scatter": 7 / 8 * size}


def test_shares_of_the_state():
    plan = layout(jax.devices(), data=1, fsdp=8, tensor=1, compile="jit")
    shapes = {"kernel": jax.ShapeDtypeStruct((64, 128), jnp.float32), "bias": jax.ShapeDtypeStruct((128,), jnp.float32)}
    placed = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), shapes, shardings(plan, shapes, ())
    )
    assert state.total_bytes(placed) == 4 * (64 * 128 + 128)
    assert state.device_bytes(placed) == 4 * (64 * 128 // 8 + 128)
    assert state.copied(placed) == [{"path": "bias", "shape": [128], "bytes": 512}]


def test_contractions_of_a_matmul_a_convolution_and_a_scan():
    a, b = jnp.zeros((4, 8)), jnp.zeros((8, 16))
    assert roofline.contractions(jax.make_jaxpr(jnp.dot)(a, b).jaxpr) == (2 * 4 * 8 * 16, 4 * (32 + 128 + 64))
    x, w = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 3, 5))
    conv = partial(jax.lax.conv_general_dilated, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    halved = jax.make_jaxpr(lambda x, w: conv(x, w, window_strides=(2, 2)))(x, w)
    assert roofline.contractions(halved.jaxpr).flops == 2 * (2 * 4 * 4 * 5) * (3 * 3 * 3)
    square = jnp.zeros((8, 8))
    turns = jax.make_jaxpr(lambda x: jax.lax.scan(lambda c, _: (jax.jit(jnp.dot)(c, c), None), x, length=7))(square)
    assert roofline.contractions(turns.jaxpr).flops == 7 * 2 * 8**3


def test_a_strided_convolution_costs_three_times_as_much_with_its_gradients():
    x, w = jnp.zeros((2, 8, 8, 3)), jnp.zeros((4, 4, 3, 5))
    conv = partial(jax.lax.conv_general_dilated, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def loss(x, w):
        return jnp.sum(conv(x, w, window_strides=(2, 2)) ** 2)

    forward = roofline.contractions(jax.make_jaxpr(loss)(x, w).jaxpr).flops
    both = roofline.contractions(jax.make_jaxpr(jax.grad(loss, (0, 1)))(x, w).jaxpr).flops
    assert both == pytest.approx(3 * forward)


def test_communication_over_nodes_is_in_a_hierarchy():
    chip = roofline.Hardware(1.0, 1.0, inner=100.0, node=8, outer=10.0, source="")
    assert roofline.communication_seconds(800, 8, 2, chip) == 2 * 7 / 8 * 800 / 100
    assert roofline.communication_seconds(800, 16, 2, chip) == 2 * 7 / 8 * 800 / 100 + 2 * 1 / 2 * 100 / 10


def test_where_communication_begins_to_bound():
    chip = roofline.Hardware(1e3, 1e3, inner=10.0, node=0, outer=0.0, source="")
    work = {"batch": 16, "params": 80, "state": 240, "flops": 100, "example_bytes": 1, "weight_bytes": 0}
    found = roofline.predict(work, "data", 8, chip)
    assert found["communication"] == 14.0
    assert found["bound_below"] * work["flops"] / chip.peak == found["communication"]
    assert found["bound"] == "communication"
    assert "bound" not in roofline.predict(work, "data", 64, chip)


@pytest.mark.parametrize("axis", ["data", "fsdp"])
def test_a_step_moves_weights_and_gradients_and_no_activations(axis, tmp_path):
    small = {"networks.net.layers": 1, "networks.net.width": 32, "networks.net.heads": 8, "data.batch_size": 8}
    run = standins.build_run(standins.load_config("gpt_sentences", small), tmp_path, {axis: 8})
    params = run.programs.described.params
    sent = sum(one.sent for one in hlo.collectives(collectives.compiled_text(run), 8))
    least = collectives.least(axis, state.total_bytes(params), 8)
    # The tied embedding has a gradient from either end; XLA for CPUs reduces each before it adds them.
    twice = hlo.ring_bytes("all-reduce", state.total_bytes(params["net"]["embedding"]), 8) if axis == "data" else 0
    assert sent == pytest.approx(least + twice, rel=0.02)


@pytest.mark.parametrize(
    "name", ["gpt_fashion_mnist", pytest.param("ddpm_digits", marks=pytest.mark.long(part="benchmarks"))]
)
def test_kept_counts_are_of_the_program_that_accelerators_run(name, tmp_path):
    """Convolutions and attention for one CPU alone have fewer products."""
    kept = json.loads(RESULTS.read_text("utf-8"))["roofline"]["configs"][name]
    counted = roofline.count(name, tmp_path)
    assert {key: counted[key] for key in EXACT} == {key: kept[key] for key in EXACT}


def test_the_page_has_what_the_results_have():
    held = {"params": 100, "opt_state": 200, "ema": 0}
    row = {
        "total": held,
        "meshes": {mesh: held for mesh in state.MESHES},
        "copied": {"leaves": 1, "bytes": 100, "largest": []},
        "fsdp_share": 1.0,
        "within_relative": False,
        "within_points": False,
    }
    text = page.page({"jax": "0", "device": "none", "command": "x", "state": {"some_config": row}})
    assert "met by 0 of 1" in text and "some_config" in text and "Roofline" not in text


def test_parts_of_two_versions_of_jax_are_not_kept_together(tmp_path, capsys, monkeypatch):
    path = tmp_path / "scale.json"
    path.write_text(json.dumps({"jax": "0.1", "roofline": {}, "state": {}}), "utf-8")
    monkeypatch.setattr("sys.argv", ["scale", "state", "collectives", f"--results={path}"])
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    with pytest.raises(SystemExit):
        main()
    assert "name roofline too: they are of jax 0.1" in capsys.readouterr().err


def test_specs_of_named_shardings_give_the_shards():
    plan = layout(jax.devices(), data=2, fsdp=2, tensor=2, compile="jit")
    leaf = jax.ShapeDtypeStruct((8, 8), jnp.float32, sharding=NamedSharding(plan.mesh, PartitionSpec("fsdp", "tensor")))
    assert state.device_bytes(leaf) == 8 * 8 * 4 // 4
