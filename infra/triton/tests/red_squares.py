"""Writes a small object model, run in Triton's Python: it finds what is bright red.

    python red_squares.py TARGET [FLAW]

One row for each half of the picture, left and right: the box around all that is red in it, and as
score the share of the box that is red. FLAW names how the model breaks the contract, for the tests.
"""

import sys
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Drawing:
    """Nodes and constants as they are written down; each operator's name is its output's."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, kind: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def least(self, value: str) -> str:
        return self.add("ReduceMin", value, axes=[1, 2], keepdims=0)

    def most(self, value: str) -> str:
        return self.add("ReduceMax", value, axes=[1, 2], keepdims=0)


def draw(flaw: str) -> onnx.ModelProto:
    graph = Drawing()
    picture = graph.add("Cast", "image", to=TensorProto.FLOAT)
    blue, green, red = (
        graph.add("Gather", picture, graph.constant(place, np.int64), axis=3) for place in range(3)
    )
    is_red = graph.add(
        "And",
        graph.add("Greater", red, graph.constant(200)),
        graph.add("Less", graph.add("Max", blue, green), graph.constant(60)),
    )
    shape = graph.add("Shape", "image")
    height, width = (
        graph.add(
            "Cast",
            graph.add("Gather", shape, graph.constant(place, np.int64)),
            to=TensorProto.FLOAT,
        )
        for place in (1, 2)
    )
    columns = _range(graph, width, axes=[0, 1])
    rows = _range(graph, height, axes=[0, 2])
    middle = graph.add("Div", width, graph.constant(2))
    is_left = graph.add("Less", columns, middle)
    halves = [is_left, graph.add("Not", is_left)]
    found = [
        _row(graph, graph.add("And", is_red, half), columns, rows, width, height, flaw)
        for half in halves
    ]
    boxes = graph.add("Concat", *found, axis=1)
    if flaw == "nan":
        boxes = graph.add("Log", graph.add("Sub", boxes, graph.constant(1)))
    if flaw == "loses the batch":
        boxes = graph.add("ReduceMax", boxes, axes=[0], keepdims=1)
    if flaw == "leans on the batch":
        boxes = graph.add("Mul", boxes, _over_batch(graph, shape))
    graph.nodes.append(helper.make_node("Identity", [boxes], ["boxes"]))
    if flaw == "operators of its own":
        graph.nodes[-1].domain = "com.example"
    sides: list[int | str] = [1, 384, 640] if flaw == "fixed sides" else ["n", "height", "width"]
    body = helper.make_graph(
        graph.nodes,
        "red",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [*sides, 3])],
        [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [None, None, 6])],
        graph.constants,
    )
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.example", 1)]
    return helper.make_model(
        body, opset_imports=imports[: 1 + (flaw == "operators of its own")], ir_version=9
    )


def _row(
    graph: Drawing, mask: str, columns: str, rows: str, width: str, height: str, flaw: str
) -> str:
    """[n, 1, 6]: the box around the mask, its red share, class 0."""
    nothing = graph.constant(0)
    left = graph.least(graph.add("Where", mask, columns, width))
    top = graph.least(graph.add("Where", mask, rows, height))
    one = graph.constant(1)
    right = graph.most(graph.add("Where", mask, graph.add("Add", columns, one), nothing))
    bottom = graph.most(graph.add("Where", mask, graph.add("Add", rows, one), nothing))
    area = graph.add(
        "Mul",
        graph.add("Max", graph.add("Sub", right, left), one),
        graph.add("Max", graph.add("Sub", bottom, top), one),
    )
    red = graph.add("Cast", mask, to=TensorProto.FLOAT)
    inside = graph.add("ReduceSum", red, graph.constant([1, 2], np.int64), keepdims=0)
    score = graph.add("Div", inside, area)
    if flaw == "scores above one":
        score = graph.add("Add", score, graph.constant(1.5))
    place = graph.add("Mul", score, nothing)
    if flaw == "class beyond the labels":
        score = graph.add("Add", graph.add("Mul", score, nothing), graph.constant(0.5))
        place = graph.add("Add", place, graph.constant(7))
    axes = graph.constant([1, 2], np.int64)
    columns_of_row = [left, top, right, bottom, score, place]
    return graph.add(
        "Concat", *(graph.add("Unsqueeze", value, axes) for value in columns_of_row), axis=2
    )


def _range(graph: Drawing, count: str, *, axes: list[int]) -> str:
    """0, 1, 2, … along the one axis of [1, rows, columns] that `axes` does not name."""
    numbers = graph.add("Range", graph.constant(0), count, graph.constant(1))
    return graph.add("Unsqueeze", numbers, graph.constant(axes, np.int64))


def _over_batch(graph: Drawing, shape: str) -> str:
    count = graph.add("Gather", shape, graph.constant(0, np.int64))
    return graph.add("Reciprocal", graph.add("Cast", count, to=TensorProto.FLOAT))


def main(target: str, flaw: str = "") -> None:
    model = draw(flaw)
    if flaw == "weights elsewhere":
        for value in model.graph.initializer:
            value.data_location = TensorProto.EXTERNAL
            value.external_data.add(key="location", value="weights.bin")
            value.ClearField("raw_data")
    with open(target, "wb") as file:  # noqa: PTH123
        file.write(b"not a model" if flaw == "no model" else model.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
