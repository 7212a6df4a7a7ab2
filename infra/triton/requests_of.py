"""Runs detection on pictures and records the requests that are sent to Triton, in order.

`tartip bench` replays the requests without the inference gateway. Run with the project's Python:

    python infra/triton/requests_of.py --address … --certificate … --key … --authority … \
        --out FILE.npz PICTURE…

FILE.npz has the input tensors by number, and a JSON list under the name "plan". The JSON list has
one inner list per picture, whose items are the requests {"model", "tensor": number, "after":
[...]}. "after" lists the requests that were answered before this request was sent, by their indices
in the inner list.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from inference_gateway.triton import Credentials, TritonModels
from vision.arrays import Floats, Picture
from vision.detector import Detector
from vision.pictures import open_picture


@dataclass
class Listening:
    """Forwards requests to the models and records each request.

    A record has the model, the number of the input tensor, and a list of earlier requests for this
    picture. The list has the indices of the requests that were answered before this one was sent.
    """

    models: TritonModels
    asked: list[dict[str, Any]] = field(default_factory=list)
    tensors: list[Picture] = field(default_factory=list)
    _answered: set[int] = field(default_factory=set)

    async def run(self, model: str, images: Picture, *, seconds: float) -> Floats:
        place = len(self.asked)
        self.asked.append(
            {"model": model, "tensor": len(self.tensors), "after": sorted(self._answered)}
        )
        self.tensors.append(images)
        answer = await self.models.run(model, images, seconds=seconds)
        self._answered.add(place)
        return answer

    async def fingerprint(self) -> str:
        return await self.models.fingerprint()

    async def object_models(self) -> Any:
        return await self.models.object_models()

    def next_picture(self) -> list[dict[str, Any]]:
        asked, self.asked, self._answered = self.asked, [], set()
        return asked


async def main() -> None:
    options = _options()
    models = TritonModels(
        options.address, Credentials(options.certificate, options.key, options.authority)
    )
    listening = Listening(models)
    looker, plan = Detector(listening), []
    for path in options.pictures:
        await looker.detect(open_picture(path.read_bytes()))
        plan.append(listening.next_picture())
    await models.close()
    tensors = {str(place): tensor for place, tensor in enumerate(listening.tensors)}
    np.savez(options.out, plan=np.array(json.dumps(plan)), **tensors)  # type: ignore[arg-type]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    for name in ("--certificate", "--key", "--authority", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("pictures", nargs="+", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
