"""Converts NanoDet from the TensorFlow.js graph in its npm package to ONNX.

The resulting model takes pictures of BGR bytes whose sides are multiples of 32. For each anchor (of
strides 8, 16 and 32) it returns the distances to the four sides of the box in pixels, the highest
class score and the number of that class. The caller applies thresholds and non-maximum suppression.
"""

import base64
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

STORED: Final = {"float16": np.float16, "float32": np.float32, "int32": np.int32}
STRIDES: Final = (8, 16, 32)
TRAINED_SIDE: Final = 416
SIDE_BINS: Final = 11
MEAN: Final = (103.53, 116.28, 123.675)
DEVIATION: Final = (57.375, 57.12, 58.395)
TO_NCHW: Final = [0, 3, 1, 2]
TO_NHWC: Final = [0, 2, 3, 1]


class Graph:
    """Collects the nodes and constants of an ONNX graph while it is built."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, value: Any) -> str:
        array = np.ascontiguousarray(value)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def add(self, operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, list(outputs), **attributes))
        return outputs[0]


def convert(source: Path) -> onnx.ModelProto:
    """Return the NanoDet model to be served, converted from the file `source` (`nanodet.json`).

    The weights are read from files beside `source`.
    """
    description = json.loads(source.read_text())
    weights = _weights(source.parent, description["weightsManifest"])
    nodes = description["modelTopology"]["node"]
    graph = Graph()
    graph.add("Cast", ["image"], "image_float", to=TensorProto.FLOAT)
    graph.add("Transpose", ["image_float"], "image_planes", perm=TO_NCHW)
    mean = np.array(MEAN, np.float32).reshape(1, 3, 1, 1)
    scale = 1 / np.array(DEVIATION, np.float32).reshape(1, 3, 1, 1)
    graph.add("Sub", ["image_planes", graph.constant(mean)], "image_centred")
    graph.add("Mul", ["image_centred", graph.constant(scale)], "image_normal")
    Translation(graph, nodes, weights).run()
    _anchors(graph)
    return _with_free_sizes(graph)


class Translation:
    """Translates a TensorFlow graph to ONNX nodes; each node is translated after its inputs."""

    def __init__(
        self, graph: Graph, nodes: list[dict[str, Any]], weights: dict[str, NDArray[Any]]
    ) -> None:
        self._graph = graph
        self._nodes = {node["name"]: node for node in nodes}
        self._weights = weights
        self._names: dict[str, str] = {}
        self._done: set[str] = set()

    def run(self) -> None:
        for level in range(len(STRIDES) * 2):
            self._visit("Identity" if level == 0 else f"Identity_{level}")

    def _visit(self, name: str) -> None:
        pending = [name]
        while pending:
            current = pending[-1]
            inputs = [_plain(entry) for entry in self._nodes[current].get("input", [])]
            waiting = [entry for entry in inputs if entry not in self._done]
            if waiting and current not in self._done:
                pending += waiting
                continue
            pending.pop()
            if current not in self._done:
                self._done.add(current)
                self._write(self._nodes[current])

    def _write(self, node: dict[str, Any]) -> None:
        name, operator = node["name"], node["op"]
        if operator in {"Const", "SparseToDense"} or self._is_folded(node):
            return
        if operator == "Placeholder":
            self._names[name] = "image_normal"
            return
        write = getattr(self, f"_{operator.lower()}", None)
        if write is None:
            raise SystemExit(f"NanoDet has changed: operator {operator} is unknown")
        write(node)

    def _is_folded(self, node: dict[str, Any]) -> bool:
        """Shape arithmetic (AddV2 of constants) feeds Reshape only, which is rewritten."""
        return node["op"] == "AddV2" and all(
            _plain(entry) in self._weights or self._nodes[_plain(entry)]["op"] == "SparseToDense"
            for entry in node["input"]
        )

    def _value(self, entry: str) -> str:
        name = entry.removesuffix(":0")
        if name in self._weights and name not in self._names:
            self._names[name] = self._graph.constant(self._weights[name])
        return self._names.get(name, name)

    def _fixed(self, node: dict[str, Any], place: int) -> NDArray[Any]:
        return self._weights[_plain(node["input"][place])]

    def _identity(self, node: dict[str, Any]) -> None:
        self._graph.add("Identity", [self._value(node["input"][0])], node["name"])

    def _add(self, node: dict[str, Any]) -> None:
        self._graph.add("Add", [self._value(entry) for entry in node["input"]], node["name"])

    _addv2 = _add

    def _sigmoid(self, node: dict[str, Any]) -> None:
        self._graph.add("Sigmoid", [self._value(node["input"][0])], node["name"])

    def _leakyrelu(self, node: dict[str, Any]) -> None:
        slope = float(node["attr"]["alpha"]["f"])
        value = self._value(node["input"][0])
        self._graph.add("LeakyRelu", [value], node["name"], alpha=slope)

    def _transpose(self, node: dict[str, Any]) -> None:
        order = [int(axis) for axis in self._fixed(node, 1)]
        self._graph.add("Transpose", [self._value(node["input"][0])], node["name"], perm=order)

    def _pad(self, node: dict[str, Any]) -> None:
        widths = self._fixed(node, 1)
        ends = self._graph.constant(np.concatenate([widths[:, 0], widths[:, 1]]).astype(np.int64))
        inputs = [self._value(node["input"][0]), ends]
        if node["op"] == "PadV2":
            inputs.append(self._graph.constant(np.float32(self._fixed(node, 2))))
        self._graph.add("Pad", inputs, node["name"], mode="constant")

    _padv2 = _pad

    def _conv2d(self, node: dict[str, Any]) -> None:
        kernel = self._fixed_kernel(node)
        strides = _list(node, "strides")[1:3]
        name = node["name"]
        planes = self._graph.add(
            "Transpose", [self._value(node["input"][0])], f"{name}/in", perm=TO_NCHW
        )
        inputs = [planes, self._graph.constant(kernel.transpose(3, 2, 0, 1))]
        self._graph.add(
            "Conv", inputs, f"{name}/conv", strides=strides, kernel_shape=list(kernel.shape[:2])
        )
        self._graph.add("Transpose", [f"{name}/conv"], name, perm=TO_NHWC)

    def _fixed_kernel(self, node: dict[str, Any]) -> NDArray[Any]:
        if _text(node, "padding") != "VALID":
            raise SystemExit("NanoDet has changed: a convolution pads by itself")
        return self._fixed(node, 1).astype(np.float32)

    def _maxpool(self, node: dict[str, Any]) -> None:
        name = node["name"]
        value = self._value(node["input"][0])
        planes = self._graph.add("Transpose", [value], f"{name}/in", perm=TO_NCHW)
        size, strides = _list(node, "ksize")[1:3], _list(node, "strides")[1:3]
        self._graph.add("MaxPool", [planes], f"{name}/pool", kernel_shape=size, strides=strides)
        self._graph.add("Transpose", [f"{name}/pool"], name, perm=TO_NHWC)

    def _resizebilinear(self, node: dict[str, Any]) -> None:
        name = node["name"]
        value = self._value(node["input"][0])
        planes = self._graph.add("Transpose", [value], f"{name}/in", perm=TO_NCHW)
        size = self._graph.constant(self._fixed(node, 1).astype(np.int64))
        self._graph.add(
            "Resize",
            [planes, "", "", size],
            f"{name}/resized",
            mode="linear",
            coordinate_transformation_mode="half_pixel",
            axes=[2, 3],
        )
        self._graph.add("Transpose", [f"{name}/resized"], name, perm=TO_NHWC)

    def _concatv2(self, node: dict[str, Any]) -> None:
        inputs = [self._value(entry) for entry in node["input"][:-1]]
        axis = int(self._fixed(node, len(inputs)))
        self._graph.add("Concat", inputs, node["name"], axis=axis)

    def _splitv(self, node: dict[str, Any]) -> None:
        sizes, axis = self._fixed(node, 1).astype(np.int64), int(self._fixed(node, 2))
        names = [node["name"], *(f"{node['name']}:{part}" for part in range(1, len(sizes)))]
        inputs = [self._value(node["input"][0]), self._graph.constant(sizes)]
        self._graph.add("Split", inputs, *names, axis=axis)

    def _reshape(self, node: dict[str, Any]) -> None:
        """Planes to rows, whatever the picture's size: [n, channels, anchors]."""
        shape = self._graph.constant(np.array([0, 0, -1], np.int64))
        self._graph.add("Reshape", [self._value(node["input"][0]), shape], node["name"])


def _anchors(graph: Graph) -> None:
    """Join the three levels: expected distance to each side, best score, its class."""
    levels = []
    for level, stride in enumerate(STRIDES):
        scores = "Identity" if level == 0 else f"Identity_{level}"
        bins = f"Identity_{level + len(STRIDES)}"
        split = graph.constant(np.array([0, 0, 4, SIDE_BINS], np.int64))
        graph.add("Reshape", [bins, split], f"bins_{level}")
        graph.add("Softmax", [f"bins_{level}"], f"chances_{level}", axis=-1)
        steps = (np.arange(SIDE_BINS, dtype=np.float32) * stride).reshape(SIDE_BINS, 1)
        graph.add("MatMul", [f"chances_{level}", graph.constant(steps)], f"sides_{level}")
        last = graph.constant(np.array([-1], np.int64))
        graph.add("Squeeze", [f"sides_{level}", last], f"distances_{level}")
        class_axis = graph.constant(np.array([2], np.int64))
        graph.add("ReduceMax", [scores, class_axis], f"best_{level}", keepdims=1)
        graph.add("ArgMax", [scores], f"class_{level}", axis=2, keepdims=1)
        graph.add("Cast", [f"class_{level}"], f"class_float_{level}", to=TensorProto.FLOAT)
        parts = [f"distances_{level}", f"best_{level}", f"class_float_{level}"]
        levels.append(graph.add("Concat", parts, f"level_{level}", axis=2))
    graph.add("Concat", levels, "anchors", axis=1)


def _with_free_sizes(graph: Graph) -> onnx.ModelProto:
    """Resizing was written with the trained size; turn it into factors."""
    trained = _model(graph, sides=(TRAINED_SIDE, TRAINED_SIDE))
    inferred = shape_inference.infer_shapes(trained)
    sizes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in inferred.graph.value_info
    }
    for node in graph.nodes:
        if node.op_type == "Resize":
            wanted = numpy_helper.to_array(graph.constants[node.input[3]])
            factors = wanted / np.array(sizes[node.input[0]][2:])
            inputs = [node.input[0], "", graph.constant(factors.astype(np.float32))]
            del node.input[:]
            node.input.extend(inputs)
    return _model(graph, sides=("height", "width"))


def _model(graph: Graph, *, sides: tuple[int | str, int | str]) -> onnx.ModelProto:
    count: int | str = 1 if isinstance(sides[0], int) else "n"
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [count, *sides, 3])
    anchors = helper.make_tensor_value_info("anchors", TensorProto.FLOAT, [count, None, 6])
    used = {name for node in graph.nodes for name in node.input}
    constants = [value for name, value in graph.constants.items() if name in used]
    body = helper.make_graph(graph.nodes, "nanodet", [image], [anchors], constants)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    weights: dict[str, NDArray[Any]] = {}
    for group in manifest:
        stored = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            kind = STORED[entry.get("quantization", entry)["dtype"]]
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(stored, kind, count, at).reshape(entry["shape"])
            at += values.nbytes
            wanted = STORED[entry["dtype"]]
            weights[entry["name"]] = values.astype(wanted)
    return weights


def _plain(entry: str) -> str:
    return entry.removeprefix("^").split(":")[0]


def _list(node: dict[str, Any], name: str) -> list[int]:
    return [int(value) for value in node["attr"][name]["list"]["i"]]


def _text(node: dict[str, Any], name: str) -> str:
    return base64.b64decode(node["attr"][name]["s"]).decode()
