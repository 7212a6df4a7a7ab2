"""Runs an external model on pictures without Triton, in Triton's Python, for the conformance test.

    python probe.py MODEL QUESTIONS ANSWERS

QUESTIONS is an .npz file of pictures by name; the model's output for each picture is written to the
.npz file ANSWERS. Two lines of JSON are printed: first what the ONNX file declares (see
`declared`), then the milliseconds for each picture.
"""

import json
import sys
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime


def main(model: str, questions: str, answers: str) -> None:
    told: dict[str, Any] = declared(model)
    print(json.dumps(told), flush=True)
    if told["outside_files"] or told["domains"]:
        return
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given, milliseconds = {}, {}
    with np.load(questions) as pictures:
        for name in pictures.files:
            for _ in range(2):  # the second time counts: the first one plans the memory
                started = time.perf_counter()
                (given[name],) = session.run(None, {"image": pictures[name]})
                spent = time.perf_counter() - started
            milliseconds[name] = 1000 * spent / len(pictures[name])
    np.savez(answers, **given)
    print(json.dumps(milliseconds))


def declared(path: str) -> dict[str, Any]:
    """Return what an ONNX file declares.

    "inputs" and "outputs" list the tensors, each with "name", "type" and "shape". "outside_files"
    lists the external data files, and "domains" lists the domains of non-standard operators. A
    conforming model has no external data files and no such operators.
    """
    model = onnx.load(path, load_external_data=False)
    outside = [
        value.name
        for value in _constants(model.graph)
        if value.data_location == onnx.TensorProto.EXTERNAL
    ]
    if not outside:
        onnx.checker.check_model(model)
    stored = {value.name for value in model.graph.initializer}
    return {
        "inputs": [_tensor(value) for value in model.graph.input if value.name not in stored],
        "outputs": [_tensor(value) for value in model.graph.output],
        "outside_files": outside,
        "domains": sorted(
            {node.domain for node in _nodes(model.graph)} - {"", "ai.onnx", "ai.onnx.ml"}
        ),
    }


def _tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kind = value.type.tensor_type
    return {
        "name": value.name,
        "type": {"FLOAT": "FP32", "FLOAT16": "FP16"}.get(
            name := onnx.TensorProto.DataType.Name(kind.elem_type), name
        ),
        "shape": [side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim],
    }


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    inner = [
        attribute.g
        for node in graph.node
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.GRAPH
    ]
    return [*graph.node, *(node for part in inner for node in _nodes(part))]


def _constants(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    written = [
        attribute.t
        for node in _nodes(graph)
        for attribute in node.attribute
        if attribute.type == onnx.AttributeProto.TENSOR
    ]
    return [*graph.initializer, *written]


if __name__ == "__main__":
    main(*sys.argv[1:])
