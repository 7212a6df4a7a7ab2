"""A model for Triton's Python backend that runs an ONNX file; all models use this code.

The ONNX file lies beside this file. Requests that Triton has batched are joined. The model runs
once on all of them, and the output is split into one response for each request.

The model's configuration sets the number of threads (`intra_op_threads`, by default 1) and the
SHA-256 of the ONNX file (`fingerprint`); a file with another SHA-256 is not loaded.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """The model as Triton's Python backend requires it: a class with this name and its methods."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {
            name: value["string_value"] for name, value in config.get("parameters", {}).items()
        }
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters.get("intra_op_threads", "1"))
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        content = path.read_bytes()  # what is checked is what is run
        if hashlib.sha256(content).hexdigest() != parameters.get("fingerprint"):
            raise triton.TritonModelException(f"{path} was changed since it was built")
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [entry["name"] for entry in config["input"]]
        self._outputs = [entry["name"] for entry in config["output"]]

    def execute(self, requests: list[Any]) -> list[Any]:
        taken = [
            [triton.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs]
            for request in requests
        ]
        joined = {
            name: taken[0][place]
            if len(taken) == 1
            else np.concatenate([inputs[place] for inputs in taken])
            for place, name in enumerate(self._inputs)
        }
        try:
            results = self._session.run(self._outputs, joined)
        except Exception as problem:  # the answer must name it; the model must live on
            error = triton.TritonError(f"the model could not run: {problem}")
            return [triton.InferenceResponse(error=error) for _ in requests]
        responses, start = [], 0
        for inputs in taken:
            end = start + len(inputs[0])
            tensors = [
                triton.Tensor(name, np.ascontiguousarray(result[start:end]))
                for name, result in zip(self._outputs, results, strict=True)
            ]
            responses.append(triton.InferenceResponse(tensors))
            start = end
        return responses
