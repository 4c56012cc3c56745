# SPDX-License-Identifier: Apache-2.0
"""RTL of single layers against the reference: one program of many layers per array shape.

Every layer of the sweep has its own input, so that a wrong byte is found where it arises. Buffers
are small: most layers are cut into several tiles of rows and of columns.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flexcc import reference
from flexcc.accelerator import Accelerator
from flexcc.backend.plan import Plan
from flexcc.backend.planner import build_plan
from flexcc.dse.mapping import Chain, Mapping
from flexcc.frontend.compare import compare
from flexcc.ir.affine import dequantize_array
from flexcc.ir.graph import Graph, Port
from flexcc.ir.layers import Convolution, ConvTranspose2d, Layer
from flexcc.ir.types import Quantization
from sim.harness.job import MemoryBehaviour
from tests.networks import Case, random_case
from tests.simulated import run_equal, wild_memory

pytestmark = pytest.mark.rtl

_DEPTHS: dict[str, Any] = {
    "act_words": 512,
    "weight_words": 256,
    "param_passes": 8,
    "out_words": 256,
    "list_entries": 256,
}
SHAPES = {
    "8x4x8-packed": Accelerator(m=8, p=4, n=8, q=2, packed=True, beat_bytes=64, **_DEPTHS),
    "4x3x16-packed-tables": Accelerator(
        m=4, p=3, n=16, q=4, packed=True, beat_bytes=64, tables=True, **_DEPTHS
    ),
    "16x5x4-slopes-window1": Accelerator(
        m=16,
        p=5,
        n=4,
        q=2,
        packed=False,
        beat_bytes=32,
        slopes=True,
        window_taps=1,
        window_channels=128,
        **_DEPTHS,
    ),
    "8x4x8-packed-window9": Accelerator(
        m=8,
        p=4,
        n=8,
        q=2,
        packed=True,
        beat_bytes=64,
        window_taps=9,
        window_beats=128,
        window_channels=128,
        **_DEPTHS,
    ),
    "4x3x16-packed-slopes-window9": Accelerator(
        m=4,
        p=3,
        n=16,
        q=4,
        packed=True,
        beat_bytes=64,
        slopes=True,
        window_taps=9,
        window_beats=128,
        window_channels=128,
        **_DEPTHS,
    ),
    "32x2x8-packed": Accelerator(m=32, p=2, n=8, q=8, packed=True, beat_bytes=32, **_DEPTHS),
    "8x7x16-packed-slopes-tables": Accelerator(
        m=8, p=7, n=16, q=2, packed=True, beat_bytes=128, slopes=True, tables=True, **_DEPTHS
    ),
    "8x4x8-packed-wide": Accelerator(
        m=8, p=4, n=8, q=2, packed=True, beat_bytes=64, wide=True, **_DEPTHS
    ),
    "4x3x16-packed-slopes-tables-wide": Accelerator(
        m=4,
        p=3,
        n=16,
        q=4,
        packed=True,
        beat_bytes=64,
        slopes=True,
        tables=True,
        wide=True,
        **_DEPTHS,
    ),
    "16x5x4-wide": Accelerator(
        m=16, p=5, n=4, q=2, packed=False, beat_bytes=32, wide=True, **_DEPTHS
    ),
}
SUM_SHAPES = ("8x4x8-packed", "4x3x16-packed-tables", "8x7x16-packed-slopes-tables")
BEND_SHAPES = ("8x4x8-packed", "8x7x16-packed-slopes-tables")
# Left to the long run: what they have, the others have between them.
_SLOW_SHAPES = ("4x3x16-packed-tables", "4x3x16-packed-slopes-window9", "16x5x4-wide")
_SLOW_SUM_SHAPES = ("4x3x16-packed-tables",)
_SLOW_BEND_SHAPES = ("8x7x16-packed-slopes-tables",)
_LAYERS = 40
_MOST_LAYERS = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """Many cases in one graph, and its plan."""

    graph: Graph
    plan: Plan
    inputs: dict[str, NDArray[np.int8]]
    counts: Counter[str]


def _fits(case: Case, accelerator: Accelerator) -> bool:
    used = case.mapping.accelerator
    return all(getattr(used, name) <= getattr(accelerator, name) for name in _DEPTHS)


def _renamed(layer: Layer, prefix: str) -> Layer:
    return replace(
        layer,
        name=prefix + layer.name,
        inputs=tuple(prefix + name for name in layer.inputs),
        output=prefix + layer.output,
    )


def _renamed_chain(chain: Chain, prefix: str) -> Chain:
    names = {f.name: getattr(chain, f.name) for f in fields(chain)}
    return Chain(**{place: name and prefix + name for place, name in names.items()})


def _port(port: Port, prefix: str) -> Port:
    return replace(port, tensor=prefix + port.tensor, onnx_name=prefix + port.onnx_name)


def _sweep(accelerator: Accelerator, layers: int, seed: str) -> Sweep:
    """`layers` random single layers that fit the accelerator, some with a fused pool."""
    rng = random.Random(seed)
    cases: list[Case] = []
    # What follows a sum may be pooled with it.
    lengths = [1, 2, 3] if accelerator.sums or accelerator.wide else [1, 1, 2]
    while len(cases) < layers:
        case = random_case(rng, rng.choice(lengths), accelerator)
        if _fits(case, accelerator):
            cases.append(case)
    prefixes = [f"c{number}." for number in range(layers)]
    paired = list(zip(prefixes, cases, strict=True))
    graph = Graph(
        name="sweep",
        inputs=tuple(_port(port, p) for p, case in paired for port in case.graph.inputs),
        outputs=tuple(_port(port, p) for p, case in paired for port in case.graph.outputs),
        tensors={p + name: t for p, case in paired for name, t in case.graph.tensors.items()},
        layers=tuple(_renamed(layer, p) for p, case in paired for layer in case.graph.layers),
    )
    groups = tuple(
        replace(group, chain=_renamed_chain(group.chain, p))
        for p, case in paired
        for group in case.mapping.groups
    )
    plan = build_plan(graph, Mapping(accelerator=accelerator, groups=groups))
    return Sweep(
        graph=graph,
        plan=plan,
        inputs={p + name: x for p, case in paired for name, x in case.inputs.items()},
        counts=_counts(cases, plan),
    )


def _counts(cases: list[Case], plan: Plan) -> Counter[str]:
    """How often the sweep has what it exists for."""
    counts: Counter[str] = Counter()
    layers = [layer for case in cases for layer in case.graph.layers]
    for conv in (layer for layer in layers if isinstance(layer, Convolution)):
        kind = "transposed" if isinstance(conv, ConvTranspose2d) else "normal"
        counts[kind] += 1
        counts[f"kernel {max(conv.weight.shape[2:])}"] += 1
        counts[f"{kind} strided"] += max(conv.strides) > 1
        counts[f"{kind} dilated"] += max(conv.dilations) > 1
        counts["grouped"] += conv.groups > 1
        counts["bent"] += conv.slope is not None
        pads = conv.pads
        counts["asymmetric"] += (pads.top, pads.left) != (pads.bottom, pads.right)
    for case in cases:
        for group in case.mapping.groups:
            counts[group.weights.name.lower()] += 1
            counts["pooled"] += group.chain.pool is not None
            counts["looked up"] += group.chain.table is not None
            counts["summed"] += group.chain.sum is not None
            counts["sum bent"] += group.chain.bend is not None
            counts["sum pooled"] += None not in (group.chain.sum, group.chain.pool)
            counts["bundled"] += group.bundle > 1
            counts["window"] += group.chain.window is not None
    for stage in plan.stages:
        counts["16 bits in"] += stage.tiles[0].load.wide
        counts["16 bits out"] += any(item.plane for item in stage.tiles[0].passes)
        counts["several tiles"] += len(stage.tiles) > 1
        starts = {tile.stores[-1].address for tile in stage.tiles}
        counts["several columns"] += len({tile.stores[-1].cols for tile in stage.tiles}) > 1
        assert len(starts) == len(stage.tiles)
    return counts


def _quantization(graph: Graph, tensor: str) -> Quantization:
    quantization = graph.tensors[tensor].quantization
    assert quantization is not None
    return quantization


def _run(sweep: Sweep, memory: MemoryBehaviour) -> int:
    """Runs the sweep on the RTL, compares the whole memory; returns the cycles."""
    batched = {name: x[np.newaxis] for name, x in sweep.inputs.items()}
    tensors = {name: x[0] for name, x in reference.run(sweep.graph, batched).items()}
    return run_equal(sweep.plan, sweep.inputs, tensors, memory).outcome.cycles


def _marked(shapes: Iterable[str], slow: Collection[str]) -> list[Any]:
    return [
        pytest.param(shape, marks=[pytest.mark.slow] if shape in slow else []) for shape in shapes
    ]


@pytest.mark.parametrize("shape", _marked(SHAPES, _SLOW_SHAPES))
def test_layers_equal_the_reference(shape: str) -> None:
    sweep = _sweep(SHAPES[shape], _LAYERS, f"sweep {shape}")
    kinds = [f"{kind} {how}" for kind in ("normal", "transposed") for how in ("strided", "dilated")]
    needed = [*kinds, "grouped", "asymmetric", "pooled", "several tiles"]
    needed += ["keep", "reload", "stream"]
    needed += ["bent"] if SHAPES[shape].slopes else []
    needed += ["looked up"] if SHAPES[shape].tables else []
    needed += ["window"] if SHAPES[shape].window_taps else []
    needed += ["16 bits in", "16 bits out"] if SHAPES[shape].wide else []
    missing = [name for name in needed if sweep.counts[name] < 3]
    missing += [] if sweep.counts["bundled"] or shape.startswith("4x3x16") else ["bundled"]
    assert not missing, f"the sweep lacks {missing}: {dict(sweep.counts)}"
    freely = _run(sweep, MemoryBehaviour())
    stalled = _run(sweep, wild_memory(7))
    assert stalled > freely


@pytest.mark.parametrize("shape", _marked(SUM_SHAPES, _SLOW_SUM_SHAPES))
def test_sums_equal_the_reference(shape: str) -> None:
    sweep = _sweep(replace(SHAPES[shape], sums=True), 60, f"sums {shape}")
    needed = ["transposed strided", "summed", "several tiles", "several columns"]
    missing = [name for name in needed if sweep.counts[name] < 3]
    missing += [] if sweep.counts["sum pooled"] else ["sum pooled"]
    assert not missing, f"the sweep lacks {missing}: {dict(sweep.counts)}"
    freely = _run(sweep, MemoryBehaviour())
    stalled = _run(sweep, wild_memory(8))
    assert stalled > freely


@pytest.mark.parametrize("shape", _marked(BEND_SHAPES, _SLOW_BEND_SHAPES))
def test_bent_sums_equal_the_reference(shape: str) -> None:
    """Also behind depthwise and transposed convolutions, in front of tables and poolings."""
    accelerator = replace(SHAPES[shape], sums=True, slopes=True, bends=True)
    sweep = _sweep(accelerator, 60, f"bends {shape}")
    needed = ["transposed strided", "summed", "sum bent", "several tiles", "keep", "reload"]
    missing = [name for name in needed if sweep.counts[name] < 3]
    assert not missing, f"the sweep lacks {missing}: {dict(sweep.counts)}"
    freely = _run(sweep, MemoryBehaviour())
    stalled = _run(sweep, wild_memory(9))
    assert stalled > freely


@pytest.mark.parametrize("shape", SHAPES)
def test_the_reference_of_the_layers_is_onnx_runtime(shape: str) -> None:
    """Within one step everywhere, equal but for rounding ties, on the layers of the test above."""
    sweep = _sweep(SHAPES[shape], _LAYERS, f"sweep {shape}")
    reals = {
        name: dequantize_array(x[np.newaxis], _quantization(sweep.graph, name))
        for name, x in sweep.inputs.items()
    }
    comparison = compare(sweep.graph, reals)
    assert comparison.total().largest_difference <= 1
    assert comparison.total().share_equal >= 0.9999


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", SHAPES)
def test_many_layers_equal_the_reference(shape: str, seed: int) -> None:
    sweep = _sweep(SHAPES[shape], _MOST_LAYERS, f"long sweep {shape} {seed}")
    _run(sweep, MemoryBehaviour(stall_seed=seed, latency_cycles=1 + 200 * seed))
