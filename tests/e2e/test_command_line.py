# SPDX-License-Identifier: Apache-2.0
"""The commands on good input: what they print, write and return."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import onnx
import pytest

import flexcc as package
from flexcc import reference
from flexcc.backend.image import expected_image, read_tensor
from flexcc.build import Build
from flexcc.dse.resources import CONTROL_MULTIPLIERS
from flexcc.measured import ArrayCycles, EngineCounts, Measured
from flexcc.options import MemoryOptions
from flexcc.simulation import Image, Simulated
from tests.e2e.command import Result, conv_model, flexcc, save, tree

ROOT = Path(__file__).parents[2]
ARRAY = ("--target", "u250", "--array", "8,4,8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, four images and a build of it."""
    folder = tmp_path_factory.mktemp("work")
    save(conv_model(), folder / "model.onnx")
    samples = np.random.default_rng(1).normal(size=(4, 2, 10, 10)).astype(np.float32)
    np.savez(folder / "data.npz", x=samples)
    result = flexcc(
        "model.onnx", *ARRAY, "-o", "build", "--calibration", "data.npz", "--json", cwd=folder
    )
    assert result.code == 0, result.stderr
    assert result.stderr == ""
    (folder / "stdout.json").write_text(result.stdout)
    return folder


def execute(work: Path, output: Path, *more: str, data: str = "data.npz") -> Result:
    return flexcc("run", "build", "--input", data, "--output", output, *more, cwd=work)


def test_report_obeys_its_schema(work: Path) -> None:
    report = json.loads((work / "build" / "report.json").read_text())
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema)
    assert report["macs"] == 4 * 2 * 9 * 64
    assert report["array"] == {"m": 8, "p": 4, "n": 8, "cores": 1, "macs_per_cycle": 256}
    assert report["cycles"]["measured"] is None
    assert report["verify"] == {"rtl": None, "hls": None}
    assert sum(layer["cycles"] for layer in report["layers"]) == report["cycles"]["estimated"]
    # The folded kernel makes short lists, for which the array has four drain chains a column.
    assert report["resources"]["dsp"]["used"] == 8 * 2 * 8 + 2 * 4 * 4 + CONTROL_MULTIPLIERS
    assert report["resources"]["lut"]["used"] > 0


def test_every_key_of_the_report_is_documented() -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    text = (ROOT / "docs" / "report.md").read_text()
    keys = [*schema["properties"]]
    for part in ("array", "resources", "layers", "verify"):
        node = schema["properties"][part]
        keys += node.get("items", node)["properties"]
    missing = [key for key in keys if f"`{key}`" not in text]
    assert not missing


def test_json_is_the_report(work: Path) -> None:
    assert (work / "stdout.json").read_text() == (work / "build" / "report.json").read_text()


def test_html_is_self_contained(work: Path) -> None:
    page = (work / "build" / "report.html").read_text()
    assert "model on u250" in page
    assert "conv" in page
    assert "http" not in page
    assert len(page) < 20_000


def test_same_input_gives_the_same_bytes(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        work / "model.onnx", *ARRAY, "-o", "other", "--calibration", work / "data.npz", cwd=tmp_path
    )
    assert result.code == 0, result.stderr
    assert tree(tmp_path / "other") == tree(work / "build")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_nothing_but_the_summary_in_a_pipe(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        work / "model.onnx", *ARRAY, "-o", "b", "--calibration", work / "data.npz", cwd=tmp_path
    )
    assert "\x1b" not in result.stdout
    assert result.stderr == ""
    assert "conv2d" in result.stdout
    assert "MAC efficiency" in result.stdout
    assert "assumed 300 MHz" in result.stdout


def test_emitted_model_is_a_qdq_model(work: Path) -> None:
    model = onnx.load(work / "build" / "model.qdq.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}


def test_qdq_model_compiles_without_calibration(work: Path, tmp_path: Path) -> None:
    model = work / "build" / "model.qdq.onnx"
    result = flexcc(model, *ARRAY, "-o", "again", cwd=tmp_path)
    assert result.code == 0, result.stderr
    first, again = ((f / "program.bin").read_bytes() for f in (work / "build", tmp_path / "again"))
    assert first == again
    refused = flexcc(model, *ARRAY, "-o", "no", "--random-calibration", cwd=tmp_path)
    assert refused.code == 2
    assert "quantised already" in refused.stderr


def test_quantize_writes_the_model_that_compile_makes(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        "quantize", work / "model.onnx", "-o", tmp_path / "q.onnx",
        "--calibration", work / "data.npz", cwd=tmp_path,
    )  # fmt: skip
    assert (result.code, result.stdout) == (0, "")
    assert (tmp_path / "q.onnx").read_bytes() == (work / "build/model.qdq.onnx").read_bytes()
    result = flexcc(
        "quantize", work / "model.onnx", "-o", tmp_path / "other.onnx",
        "--calibration", work / "data.npz", "--calibration-method", "percentile",
        "--percentile", "90", cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0
    assert (tmp_path / "other.onnx").read_bytes() != (tmp_path / "q.onnx").read_bytes()


def test_automatic_precision_says_what_it_chose(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        "quantize", work / "model.onnx", "-o", tmp_path / "q.onnx",
        "--calibration", work / "data.npz", "--precision", "auto", "--sqnr", "44", cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("y: ")
    assert "with 16 bits everywhere" in lines[0]
    assert "of 2 choices of tensors, which" in lines[1]
    assert len(lines) == 2 + int(lines[1].split()[3])


def test_a_quantised_model_is_not_quantised_again(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        "quantize", work / "build/model.qdq.onnx", "-o", tmp_path / "q.onnx",
        "--random-calibration", cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 2
    assert "is quantised already" in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_explored_array_needs_no_option(work: Path, tmp_path: Path) -> None:
    result = flexcc(
        work / "model.onnx", "--target", "zcu104", "-o", "b", "--calibration", work / "data.npz",
        "--clock", "250", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["clock_mhz"] == 250
    assert report["latency_ms"] == report["cycles"]["estimated"] / 250_000


def test_inserted_zeros_cost_cycles_and_change_no_output(work: Path, tmp_path: Path) -> None:
    """The useful MAC stay those of the network, too."""
    model = conv_model(dilation=3)
    save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "x.npz", x=np.load(work / "data.npz")["x"])
    reports, outputs = [], []
    plain = "--disable", "fold-kernel", "--disable", "space-to-depth"
    for number, more in enumerate((plain, ("--insert-zeros",))):
        result = flexcc(
            "model.onnx", *ARRAY, "-o", f"{number}", "--calibration", "x.npz", "--json", *more,
            cwd=tmp_path,
        )  # fmt: skip
        assert result.code == 0, result.stderr
        reports.append(json.loads(result.stdout))
        run = flexcc(
            "run", f"{number}", "--input", "x.npz", "--output", f"{number}.npz",
            "--on", "interpreter", "--check", cwd=tmp_path,
        )  # fmt: skip
        assert run.code == 0, run.stderr
        outputs.append(np.load(tmp_path / f"{number}.npz")["y"])
    np.testing.assert_array_equal(*outputs)
    taps, zeros = reports
    assert taps["macs"] == zeros["macs"]
    assert zeros["layers"][0]["engines"]["array"] * 9 == taps["layers"][0]["engines"]["array"] * 49


def test_reshapes_save_cycles_and_change_no_output(work: Path, tmp_path: Path) -> None:
    """Inputs are packed and outputs unpacked by whatever executes a build."""
    reports, outputs = [], []
    inputs = work / "data.npz"
    for number, more in enumerate(((), ("--disable", "fold-kernel"))):
        result = flexcc(
            work / "model.onnx", *ARRAY, "-o", f"{number}", "--calibration", inputs, "--json",
            *more, cwd=tmp_path,
        )  # fmt: skip
        assert result.code == 0, result.stderr
        reports.append(json.loads(result.stdout))
        for on in ("reference", "interpreter"):
            run = flexcc(
                "run", f"{number}", "--input", inputs, "--output", "y.npz", "--on", on,
                cwd=tmp_path,
            )  # fmt: skip
            assert run.code == 0, run.stderr
            outputs.append(np.load(tmp_path / "y.npz")["y"])
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])
    folded, plain = (report["layers"][0] for report in reports)
    assert folded["input_packing"].startswith("lanes:")
    assert plain["input_packing"] is None
    assert folded["engines"]["array"] < plain["engines"]["array"]
    assert folded["macs"] == plain["macs"]
    shown = flexcc("inspect", "0", "--show", "graph", cwd=tmp_path)
    assert f"packing={folded['input_packing']}" in shown.stdout


def test_runs_on_reference_and_interpreter_alike(work: Path, tmp_path: Path) -> None:
    for number, more in enumerate(([], ["--on", "interpreter", "--check"])):
        result = execute(work, tmp_path / f"{number}.npz", *more)
        assert result.code == 0, result.stderr
    one, other = (np.load(tmp_path / name) for name in ("0.npz", "1.npz"))
    assert one.files == other.files == ["y"]
    assert one["y"].dtype == np.float32
    assert one["y"].shape == (4, 4, 8, 8)
    assert (one["y"] >= 0).all()
    np.testing.assert_array_equal(one["y"], other["y"])


def test_outputs_are_near_those_of_the_float_model(work: Path, tmp_path: Path) -> None:
    assert execute(work, tmp_path / "y.npz").code == 0
    actual = np.load(tmp_path / "y.npz")["y"]
    evaluator = onnx.reference.ReferenceEvaluator(conv_model())
    outputs = [evaluator.run(None, {"x": x[None]}) for x in np.load(work / "data.npz")["x"]]
    expected = np.concatenate([next(iter(output)) for output in outputs])
    assert np.abs(actual - expected).max() < 0.03 * expected.max()


def test_raw_integers_and_floats_agree(work: Path, tmp_path: Path) -> None:
    plan = json.loads((work / "build" / "plan.json").read_text())
    tensors = {tensor["onnx_name"]: tensor for tensor in plan["tensors"]}
    x, y = tensors["x"], tensors["y"]
    floats = np.load(work / "data.npz")["x"]
    integers = np.rint(floats / np.float32(x["scale"])) + x["zero_point"]
    np.savez(tmp_path / "raw.npz", x=np.clip(integers, -128, 127).astype(np.int8))
    assert execute(work, tmp_path / "y.npz").code == 0
    raw = execute(work, tmp_path / "raw_y.npz", "--raw", data=str(tmp_path / "raw.npz"))
    assert raw.code == 0, raw.stderr
    outputs = np.load(tmp_path / "raw_y.npz")["y"]
    assert outputs.dtype == np.int8
    scaled = (outputs.astype(np.float32) - y["zero_point"]) * np.float32(y["scale"])
    np.testing.assert_array_equal(scaled, np.load(tmp_path / "y.npz")["y"])


def test_one_image_keeps_the_shape_of_the_model(work: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.load(work / "data.npz")["x"][:1])
    result = execute(work, tmp_path / "y.npz", "--json", data=str(tmp_path / "one.npy"))
    assert result.code == 0, result.stderr
    assert np.load(tmp_path / "y.npz")["y"].shape == (1, 4, 8, 8)
    assert json.loads(result.stdout)["images"] == 1


def test_a_changed_program_is_noticed(work: Path, tmp_path: Path) -> None:
    copy = tmp_path / "build"
    subprocess.run(["cp", "-r", work / "build", copy], check=True)
    data = bytearray((copy / "program.bin").read_bytes())
    data[8] ^= 1
    (copy / "program.bin").write_bytes(data)
    result = flexcc("run", copy, "--input", work / "data.npz", "--output", "y.npz", cwd=tmp_path)
    assert result.code == 2
    assert "program.bin was changed" in result.stderr
    assert not (tmp_path / "y.npz").exists()


def test_make_runs_a_build(work: Path, tmp_path: Path) -> None:
    folder = work / "build"
    before = tree(folder)
    command: list[str | Path] = ["make", "-C", folder, f"FLEXCC={sys.executable} -m flexcc"]
    files = [f"INPUT={work / 'data.npz'}", f"OUTPUT={tmp_path / 'y.npz'}"]
    subprocess.run([*command, "run", *files], check=True, capture_output=True)
    assert np.load(tmp_path / "y.npz")["y"].shape == (4, 4, 8, 8)
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "simulate the RTL" in listed
    unnamed = subprocess.run([*command, "run"], check=False, capture_output=True, text=True)
    assert "name the inputs: make run" in unnamed.stderr
    assert tree(folder) == before


def test_inspect_prints_every_representation(work: Path) -> None:
    texts = {
        view: flexcc("inspect", "build", "--show", view, cwd=work).stdout
        for view in ("graph", "mapping", "plan", "program")
    }
    assert "conv2d(%x)" in texts["graph"]
    assert "array 8x4x8 packed" in texts["mapping"]
    assert "conv" in texts["plan"]
    assert "control_end" in texts["program"]
    everything = flexcc("inspect", "build", cwd=work).stdout
    assert everything == texts["graph"] + texts["mapping"] + texts["plan"]
    model = flexcc("inspect", "model.onnx", cwd=work)
    assert "f32[1x2x10x10]" in model.stdout


def test_targets_lists_every_board(tmp_path: Path) -> None:
    result = flexcc("targets", cwd=tmp_path)
    assert result.code == 0
    for name in ("u250", "zcu104", "ulx3s-85f"):
        assert name in result.stdout


def test_help_reads_well(tmp_path: Path) -> None:
    result = flexcc("--help", cwd=tmp_path)
    assert result.code == 0
    assert "flexcc MODEL.onnx --target u250 -o build/" in result.stdout
    assert "Exit codes" in result.stdout
    assert "--calibration" in flexcc("compile", "--help", cwd=tmp_path).stdout
    assert flexcc("--version", cwd=tmp_path).stdout == f"flexcc, version {package.__version__}\n"
    bare = flexcc(cwd=tmp_path)
    assert bare.code == 2
    assert "Usage" in bare.stderr + bare.stdout


def test_a_bug_is_called_one(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("flexcc.driver.build_plan", broken)
    arguments = [*ARRAY, "-o", "b", "--calibration", str(work / "data.npz")]
    result = flexcc(work / "model.onnx", *arguments, cwd=tmp_path)
    assert result.code == 70
    assert "bug in flexcc" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in flexcc(work / "model.onnx", *arguments, "-v", cwd=tmp_path).stderr
    assert not list(tmp_path.iterdir())


def test_a_difference_is_named_and_the_build_kept(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulator that flips one bit of the output; the real one takes a minute to build."""

    def faulty(
        build: Build, images: list[Image], _: MemoryOptions, **_options: object
    ) -> list[Simulated]:
        results = []
        tiles = (ArrayCycles(steps=1000), *(ArrayCycles(window=7),) * (build.plan.tiles - 1))
        measured = Measured(
            cycles=1007 + 7 * len(tiles),
            tiles=tiles,
            end=ArrayCycles(end=14),
            engines={"array": EngineCounts(busy=1000, starved=0, blocked=0, idle=0)},
            beats={"act": 5},
        )
        for image in images:
            tensors = reference.run(build.graph, {"x": read_tensor(build.plan, image, "x")[None]})
            after = expected_image(build.plan, image, {n: t[0] for n, t in tensors.items()})
            output = build.plan.tensors[build.plan.outputs[0]]
            layout, kind = output.layout, output.type
            places = np.ndindex(kind.channels, kind.height, kind.width)
            wrong = next(place for place in places if kind.locate(*place) == (2, 3, 5))
            after[output.address + layout.offset(*wrong)] ^= 1
            results.append(Simulated(memory=after, measured=measured))
        return results

    monkeypatch.setattr("flexcc.machine.simulate", faulty)
    arguments = [*ARRAY, "-o", "b", "--calibration", str(work / "data.npz"), "--verify", "rtl"]
    result = flexcc(work / "model.onnx", *arguments, "--json", cwd=tmp_path)
    assert result.code == 1
    assert "channel 2 row 3 column 5 of image 0" in result.stderr
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    assert json.loads(result.stdout) == report
    jsonschema.validate(report, json.loads((ROOT / "docs" / "report.schema.json").read_text()))
    found = report["verify"]["rtl"]
    assert (found["equal"], found["images"]) == (False, 1)
    assert found["first_difference"]["channel"] == 2
    assert abs(found["first_difference"]["expected"] - found["first_difference"]["actual"]) == 1
    assert report["cycles"]["measured"] is None
    assert report["run"] is None

    run = ["run", "b", "--input", str(work / "data.npz"), "--output", "y.npz", "--on", "rtl"]
    checked = flexcc(*run, "--check", cwd=tmp_path)
    assert checked.code == 1
    assert "channel 2, row 3, column 5" in checked.stderr
    assert not (tmp_path / "y.npz").exists()
    unchecked = flexcc(*run, cwd=tmp_path)
    assert unchecked.code == 0
    assert "where the array's cycles went" in unchecked.stdout
    assert "1,000" in unchecked.stdout


# As `python -m flexcc`, also where the tests run in the background, which ignores interrupts.
_INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("flexcc", run_name="__main__")
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    save(conv_model(channels=64, size=200), tmp_path / "model.onnx")
    before = tree(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, "model.onnx", *ARRAY, "-o", "build",
         "--random-calibration", "--verify", "rtl", "--verify-images", "8"],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        # A warning about random data comes first, then work that takes far longer than this test.
        assert "random" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(60) == code
        assert "Traceback" not in process.stderr.read()
    assert tree(tmp_path) == before


def test_help_shows_the_two_commands_as_they_are_typed(tmp_path: Path) -> None:
    text = flexcc("--help", cwd=tmp_path).stdout
    lines = [line.strip() for line in text.splitlines()]
    assert "flexcc MODEL.onnx --target u250 -o build/ --calibration data.npz --verify rtl" in lines
