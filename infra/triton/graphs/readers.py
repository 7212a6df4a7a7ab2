"""Makes the plate readers' ONNX graphs take bytes and return few probabilities.

PP-OCR knows 6 623 characters, but a plate needs 36. The graph reduces PP-OCR's output to 38
classes: blank, 0-9, A-Z (the sum of upper and lower case) and all other characters. Pictures are
bytes (PP-OCR: BGR; the project's own reader: grey) and are normalised inside the graph.
"""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPSET: Final = 17


def text_reader(source: Path) -> onnx.ModelProto:
    """The PP-OCR reader to be served, made from its ONNX file `source`.

    The reader converts BGR bytes [n, 48, width, 3] to probabilities [n, steps, 38 classes].
    """
    model = version_converter.convert_version(onnx.load(source), OPSET)
    characters = _characters(model)
    fold = np.zeros((len(characters), len(ALPHABET) + 2), np.float32)
    for row, character in enumerate(characters):
        fold[row, _column(character)] = 1.0
    graph = model.graph
    inside, outside = graph.input[0].name, graph.output[0].name
    before = [
        helper.make_node("Cast", ["image"], ["image_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_float"], ["image_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["image_planes", "half"], ["image_centred"]),
        helper.make_node("Div", ["image_centred", "half"], [inside]),
    ]
    after = [helper.make_node("MatMul", [outside, "fold"], ["chances"])]
    constants = [
        numpy_helper.from_array(np.array(127.5, np.float32), "half"),
        numpy_helper.from_array(fold, "fold"),
    ]
    return _rewrapped(model, before, after, constants, ["n", 48, "width", 3], ["n", "steps", 38])


def kazakh_reader(source: Path) -> onnx.ModelProto:
    """The project's own reader of Kazakh plates, to be served, made from its ONNX file `source`.

    The reader converts grey bytes [n, 32, 160, 1] to probabilities [n, 40 steps, 37 classes].
    """
    model = onnx.load(source)
    inside, outside = model.graph.input[0].name, model.graph.output[0].name
    model = compose.add_prefix(model, "reader/")
    before = [
        helper.make_node("Cast", ["image"], ["image_float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["image_float"], [f"reader/{inside}"], perm=[0, 3, 1, 2]),
    ]
    after = [helper.make_node("Identity", [f"reader/{outside}"], ["chances"])]
    return _rewrapped(model, before, after, [], ["n", 32, 160, 1], ["n", 40, 37])


def _rewrapped(
    model: onnx.ModelProto,
    before: list[onnx.NodeProto],
    after: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    takes: list[int | str],
    gives: list[int | str],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [*before, *model.graph.node, *after],
        "reader",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, takes)],
        [helper.make_tensor_value_info("chances", TensorProto.FLOAT, gives)],
        [*model.graph.initializer, *constants],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=9)


def _characters(model: onnx.ModelProto) -> list[str]:
    """Blank first, then the package's own list, then the space that Paddle adds."""
    listed = next(entry.value for entry in model.metadata_props if entry.key == "character")
    return ["", *listed.splitlines(), " "]


def _column(character: str) -> int:
    if not character:
        return 0
    upper = character.upper()
    return ALPHABET.index(upper) + 1 if upper in ALPHABET else len(ALPHABET) + 1
