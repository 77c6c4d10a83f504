"""Small ncnn models for tests, and the package ncnn that runs them."""

import struct
import tempfile
from pathlib import Path

import numpy as np

FLOAT32, FLOAT16 = struct.pack("<I", 0), struct.pack("<I", 0x01306B47)
RNG = np.random.default_rng(7)


def raw(*arrays: np.ndarray) -> bytes:
    return b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays)


def random(*shape: int, size: float = 1.0) -> np.ndarray:
    return (size * RNG.standard_normal(shape)).astype(np.float32)


def halves(array: np.ndarray) -> bytes:
    """Weights as ncnn stores them in 16 bits, filled up to whole words."""
    data = np.ascontiguousarray(array, "<f2").tobytes()
    return FLOAT16 + data + bytes(-len(data) % 4)


class NcnnModel:
    """A .param and a .bin in the making: layers in order, each taking what the one before it made unless told."""

    def __init__(self, *, header: str = "Input in 0 1 data 0=0 1=0 2=3") -> None:
        self.rows, self.weights, self.last, self.count = [header], b"", "data", 1

    def layer(self, kind: str, settings: str = "", weights: bytes = b"", *, inputs: tuple[str, ...] = ()) -> str:
        """Add a layer; return the name of its output."""
        inputs, output = inputs or (self.last,), f"b{self.count}"
        self.rows.append(f"{kind} l{self.count} {len(inputs)} 1 {' '.join(inputs)} {output} {settings}".rstrip())
        self.weights += weights
        self.last, self.count = output, self.count + 1
        return output

    def split(self, copies: int = 2) -> tuple[str, ...]:
        """Multiply the last output, as ncnn needs it."""
        names = tuple(f"{self.last}_{number}" for number in range(copies))
        self.rows.append(f"Split s{self.count} 1 {copies} {self.last} {' '.join(names)}")
        self.last, self.count = names[0], self.count + 1
        return names

    def convolution(self, out: int, into: int, side: int, settings: str = "", *, inputs: tuple[str, ...] = ()) -> str:
        """Add a convolution with random weights and biases."""
        weight = random(out, into, side, side, size=(into * side * side) ** -0.5)
        numbers = f"0={out} 1={side} 5=1 6={weight.size} {settings}"
        return self.layer("Convolution", numbers, FLOAT32 + raw(weight, random(out, size=0.1)), inputs=inputs)

    @property
    def param(self) -> str:
        blobs = sum(int(row.split()[3]) for row in self.rows)
        return "\n".join(["7767517", f"{len(self.rows)} {blobs}", *self.rows]) + "\n"


def run_native(param: str, weights: bytes, x: np.ndarray) -> np.ndarray:
    """Run the package ncnn in plain float32: (C, H, W) -> (C, H', W')."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.bin"
        path.write_bytes(weights)
        assert net.load_param_mem(param) == 0
        assert net.load_model(str(path)) == 0
    extractor = net.create_extractor()
    x = np.ascontiguousarray(x)  # ncnn takes its address and does not hold it
    extractor.input(net.input_names()[0], ncnn.Mat(x).clone())
    code, result = extractor.extract(net.output_names()[0])
    assert code == 0
    return np.array(result)


def run_onnx(data: bytes, x: np.ndarray) -> np.ndarray:
    """Run an ONNX file: (C, H, W) -> (C, H', W')."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x[None]})[0][0]
