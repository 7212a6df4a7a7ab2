"""Makes the served face models from the files of two packages.

The detector is CenterFace: its fixed picture size is made variable, and its four output maps are
joined to one tensor. The embedder is dlib's face ResNet, rebuilt here layer by layer from the
weights in face-api for TensorFlow.js; each "scale" layer is folded into the convolution before it.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, version_converter

OPSET: Final = 17
DETECTOR_MAPS: Final = (1, 2, 2, 10)
"""The channels of CenterFace's outputs, in its order: heat, size, offset and landmarks."""
CHIP_SIDE: Final = 150
TEMPLATE_LENGTH: Final = 128
DLIB_MEAN_RGB: Final = (122.782, 117.001, 104.298)
DLIB_RANGE: Final = 256.0
BGR_TO_RGB: Final = (2, 1, 0)
STAGES: Final = ((32, 3), (64, 3), (128, 2), (256, 2))
"""Channels and plain residual blocks of each stage; a block between two stages halves the size."""


def detector(source: Path) -> onnx.ModelProto:
    """The CenterFace model to be served, made from its ONNX file `source`.

    The model converts BGR bytes [n, height, width, 3] to one tensor [n, 15, height / 4, width / 4].
    The 15 channels are heat (1), box size (2), offset (2) and landmarks (10). Raises SystemExit if
    the model in `source` does not have the expected outputs.
    """
    model = version_converter.convert_version(_unbound(onnx.load(source)), OPSET)
    graph = model.graph
    found = tuple(_channels(output) for output in graph.output)
    if len(graph.input) != 1 or found != DETECTOR_MAPS:
        raise SystemExit(f"CenterFace has changed: its outputs have {found} channels")
    before = [
        helper.make_node("Gather", ["image", "order"], ["image_rgb"], axis=3),
        helper.make_node("Transpose", ["image_rgb"], ["image_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["image_planes"], [graph.input[0].name], to=TensorProto.FLOAT),
    ]
    maps = [output.name for output in graph.output]
    after = [helper.make_node("Concat", maps, ["cells"], axis=1)]
    order = numpy_helper.from_array(np.array(BGR_TO_RGB, np.int64), "order")
    return _model(
        [*before, *graph.node, *after],
        [*graph.initializer, order],
        ("image", ["n", "height", "width", 3]),
        ("cells", ["n", sum(DETECTOR_MAPS), "rows", "columns"]),
    )


def embedder(source: Path) -> onnx.ModelProto:
    """The dlib ResNet to be served, made from face-api's weights manifest `source`.

    The model converts BGR bytes [n, 150, 150, 3] to embeddings [n, 128].
    """
    network = ResNet(_weights(source))
    network.embed()
    return _model(
        network.nodes,
        list(network.constants.values()),
        ("image", ["n", CHIP_SIDE, CHIP_SIDE, 3]),
        ("template", ["n", TEMPLATE_LENGTH]),
    )


class ResNet:
    """Builds dlib's face network as lists of ONNX nodes and constants, from its weights."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._weights = weights

    def embed(self) -> None:
        """Add all nodes of the network, from the input `image` to the output `template`."""
        value, side = self._stem()
        channels = STAGES[0][0]
        for width, blocks in STAGES:
            if width != channels:
                value, side = self._halving(value, f"conv{width}_down", side, width - channels)
            for block in range(1, blocks + 1):
                value = self._residual(value, f"conv{width}_{block}")
            channels = width
        value, _ = self._halving(value, f"conv{channels}_down_out", side, 0)
        value = self._add("Flatten", [self._add("GlobalAveragePool", [value])])
        last = self._constant(self._weights["fc"])
        self.nodes.append(helper.make_node("MatMul", [value, last], ["template"]))

    def _stem(self) -> tuple[str, int]:
        planes = self._add("Transpose", ["image"], perm=[0, 3, 1, 2])
        rgb = self._add("Gather", [planes, self._constant(np.array(BGR_TO_RGB))], axis=1)
        pixels = self._add("Cast", [rgb], to=TensorProto.FLOAT)
        mean = np.array(DLIB_MEAN_RGB, np.float32).reshape(1, 3, 1, 1)
        centred = self._add("Sub", [pixels, self._constant(mean)])
        normal = self._add("Mul", [centred, self._constant(np.float32(1 / DLIB_RANGE))])
        first = self._add("Relu", [self._convolved(normal, "conv32_down", stride=2, pad=0)])
        pooled = self._add("MaxPool", [first], kernel_shape=[3, 3], strides=[2, 2])
        return pooled, ((CHIP_SIDE - 7) // 2 + 1 - 3) // 2 + 1

    def _residual(self, value: str, name: str) -> str:
        inner = self._add("Relu", [self._convolved(value, f"{name}/conv1", stride=1, pad=1)])
        outer = self._convolved(inner, f"{name}/conv2", stride=1, pad=1)
        return self._add("Relu", [self._add("Add", [value, outer])])

    def _halving(self, value: str, name: str, side: int, more: int) -> tuple[str, int]:
        """Half the side and `more` channels; both ways are filled with zeros to equal shapes."""
        inner = self._add("Relu", [self._convolved(value, f"{name}/conv1", stride=2, pad=0)])
        outer = self._convolved(inner, f"{name}/conv2", stride=1, pad=1)
        short = self._add("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2])
        convolved, pooled = (side - 3) // 2 + 1, side // 2
        if convolved < pooled:
            outer = self._padded(outer, [0, 0, 0, 0, 0, 0, 1, 1])
        if more:
            short = self._padded(short, [0, 0, 0, 0, 0, more, 0, 0])
        return self._add("Relu", [self._add("Add", [short, outer])]), pooled

    def _convolved(self, value: str, name: str, *, stride: int, pad: int) -> str:
        scale, shift = (self._weights[f"{name}/scale/{kind}"] for kind in ("weights", "biases"))
        kernel = (self._weights[f"{name}/conv/filters"] * scale).transpose(3, 2, 0, 1)
        bias = self._weights[f"{name}/conv/bias"] * scale + shift
        inputs = [value, self._constant(kernel), self._constant(bias)]
        size = list(kernel.shape[2:])
        strides, pads = [stride, stride], [pad] * 4
        return self._add("Conv", inputs, kernel_shape=size, strides=strides, pads=pads)

    def _padded(self, value: str, pads: list[int]) -> str:
        return self._add("Pad", [value, self._constant(np.array(pads, np.int64))])

    def _add(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        name = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name


def _weights(source: Path) -> dict[str, NDArray[np.float32]]:
    """The weights as numbers; most are kept as a byte each, with a scale and a least value."""
    weights: dict[str, NDArray[np.float32]] = {}
    for group in json.loads(source.read_text()):
        stored = b"".join((source.parent / path).read_bytes() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            quantised = entry.get("quantization")
            kind = np.dtype(quantised["dtype"] if quantised else entry["dtype"])
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(stored, kind, count, at).astype(np.float32)
            if quantised:
                values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
            weights[entry["name"]] = values.reshape(entry["shape"])
            at += count * kind.itemsize
        if at != len(stored):
            raise SystemExit("the face weights have changed: some bytes are left over")
    return weights


def _unbound(model: onnx.ModelProto) -> onnx.ModelProto:
    """Any size of picture, and the constants no longer listed among the inputs."""
    graph = model.graph
    constants = {value.name for value in graph.initializer}
    for value in [value for value in graph.input if value.name in constants]:
        graph.input.remove(value)
    for value in [*graph.input, *graph.output]:
        sides = value.type.tensor_type.shape.dim
        for place, name in ((0, "n"), (2, f"{value.name}_height"), (3, f"{value.name}_width")):
            sides[place].dim_param = name
    return model


def _channels(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.shape.dim[1].dim_value)


def _model(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    takes: tuple[str, list[int | str]],
    gives: tuple[str, list[int | str]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "faces",
        [helper.make_tensor_value_info(takes[0], TensorProto.UINT8, takes[1])],
        [helper.make_tensor_value_info(gives[0], TensorProto.FLOAT, gives[1])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
