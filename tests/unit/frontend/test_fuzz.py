# SPDX-License-Identifier: Apache-2.0
"""A thousand damaged models: an error or a right result, never a traceback, a hang or much memory.

`tests/fuzz.py` tells how they are damaged; `python -m tests.fuzz N 1` repeats number N.
"""

import ast
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from flexcc.errors import InputError
from flexcc.frontend.network import import_network
from flexcc.passes import lower
from tests.fuzz import bases, damaged, try_model
from tests.onnx_models import make_model, node

ROOT = Path(__file__).parents[3]
MODELS = 1000
LARGEST_KILOBYTES = 2 * 1024 * 1024

# Linux counts the most memory that any child process ever held, so each reports its own.
CHILD = """
import resource
from tests.fuzz import main
main({first}, {count})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_damaged_models(part: int) -> None:
    count = MODELS // 4
    program = CHILD.format(first=part * count, count=count)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    *failures, counts, kilobytes = done.stdout.splitlines()
    assert not failures, "\n".join(failures)
    assert ast.literal_eval(counts).keys() == {"equal", "imported", "refused"}
    assert int(kilobytes) < LARGEST_KILOBYTES


@pytest.mark.parametrize("name", sorted(bases()))
def test_the_undamaged_models_are_good(name: str) -> None:
    """So that damage is what makes a difference."""
    assert try_model(bases()[name]) == "equal"


def test_damage_is_repeatable() -> None:
    for number in range(20):
        first, second = damaged(number), damaged(number)
        assert first[0] == second[0]
        assert first[1].SerializeToString() == second[1].SerializeToString()


# What damaged models have broken.


@pytest.mark.parametrize("kind", [0, 99])
def test_inputs_without_a_type(kind: int) -> None:
    model = make_model([node("Sin", "x", "s"), node("Relu", "s", "y")])
    model.graph.input[0].type.tensor_type.elem_type = kind
    with pytest.raises(InputError, match=r"input 'x' is .*, only FLOAT is supported"):
        import_network(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_attributes_that_are_no_numbers(value: float) -> None:
    model = make_model([node("LeakyRelu", "x", "y", "leaky", alpha=value)])
    with pytest.raises(InputError, match=r"leaky .LeakyRelu.: its attribute alpha is .* finite"):
        import_network(model)


@pytest.mark.parametrize("size", [2**31, 2**40, 2**62])
def test_images_beyond_all_bounds(size: int) -> None:
    """Neither the windows of a pool nor a constant are spread over them."""
    for nodes in (
        [node("MaxPool", "x", "y", kernel_shape=[2, 2])],
        [node("Add", "x k", "y")],
        [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Relu", "t", "y")],
    ):
        model = make_model(nodes, {"k": np.ones((3, 1, 1))}, shape=(1, 3, 4, size))
        with pytest.raises(InputError, match="holds more than 268,435,456 values; a shape in"):
            import_network(model)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2**31, 1], "pads": [2**30, 0, 2**30, 0]},
        {"kernel_shape": [2, 2], "strides": [2**40, 1]},
        {"kernel_shape": [2, 2], "dilations": [1, 2**40]},
        {"kernel_shape": [2, 2], "pads": [0, 0, 2**33, 0]},
    ],
)
def test_windows_beyond_all_bounds(attributes: dict[str, list[int]]) -> None:
    model = make_model([node("MaxPool", "x", "y", "pool", **attributes)])
    with pytest.raises(InputError, match=r"pool .MaxPool.: .* larger than 65536; the attribute"):
        import_network(model)


def test_long_images_take_no_long_time() -> None:
    """The windows of a pool are not looked at one by one."""
    nodes = [node("MaxPool", "x", "y", kernel_shape=[1, 3], pads=[0, 1, 0, 1])]
    network = import_network(make_model(nodes, shape=(1, 1, 1, 2**27)))
    assert network.graph.outputs[0].onnx_shape == (1, 1, 1, 2**27)


def test_wide_images_are_not_printed_between_passes(caplog: pytest.LogCaptureFixture) -> None:
    """A million columns, one by one, twelve times."""
    scales = np.array([1, 1, 1, 1.5], np.float32)
    model = make_model([node("Resize", "x - s", "y")], {"s": scales}, shape=(1, 1, 1, 2**20))
    start = time.process_time()
    lower(import_network(model).graph)
    assert time.process_time() - start < 10
    assert not caplog.records
