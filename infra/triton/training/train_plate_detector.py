"""Trains the plate detector on rendered plates over packaged photographs, and exports it as ONNX.

    python train_plate_detector.py --looks 90000 --seed 1

Needs the environment of training/README.md. The same seed composes the same pictures and shows
them in the same order. The pictures and a checkpoint are kept in the folder `--work`; `--resume`
continues from the checkpoint, `--start` from weights that were exported before. How the network was
trained and how it scored is written to `plate_detector.training.json`.
"""

import argparse
import hashlib
import json
import time
from functools import partial
from pathlib import Path
from typing import Final

import backgrounds
import numpy as np
import onnx
import torch
from bodies import Garage
from compose import MOST_PLATES, SIDE, Picture, compose
from course import Course, Plan
from detector import (
    STRIDE,
    PlateDetector,
    ServedDetector,
    loss,
    normalised,
    targets,
)
from numpy.typing import NDArray
from tartip_scenes.lettering import FONTS, HELD_OUT_FONTS
from torch import Tensor, nn

BATCH: Final = 16
PEAK_RATE: Final = 2e-3
CELLS: Final = SIDE // STRIDE
CARS: Final = 30
CALIBRATION: Final = 96
SCORED_ON_THE_WAY: Final = 200
PIECE: Final = 1000
MATCH_SHARE: Final = 0.25
"""A detection is right if its corners are off by at most this share of the plate's width (mean)."""

Composed = tuple[NDArray[np.uint8], NDArray[np.float32]]


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    if not options.offline:
        backgrounds.fetch(options.backgrounds)
    started = time.monotonic()
    train = composed(options.samples, options.seed, options, FONTS)
    held_out = composed(options.held_out, options.seed + 10_000, options, HELD_OUT_FONTS)
    print(f"{options.samples} pictures composed in {time.monotonic() - started:.0f} s", flush=True)
    network = PlateDetector()
    if options.start:
        take_up(network, options.start, normalised(torch.from_numpy(train[0][:CALIBRATION])))
        print(f"starting at {score(network, held_out, limit=0.4)}", flush=True)
    checkpoint = options.work / "plate_detector.checkpoint"
    plan = Plan(options.looks, BATCH, options.rate, options.seed, checkpoint, options.resume)
    course = Course(network, plan)
    network = trained(course, train, held_out)
    figures = {f"at {limit}": score(network, held_out, limit=limit) for limit in (0.3, 0.4, 0.5)}
    for name, figure in figures.items():
        print(f"held out {name}: {figure}", flush=True)
    export(network, options.out / "plate_detector.onnx")
    _write_card(options, course, figures)


def composed(
    count: int, seed: int, options: argparse.Namespace, fonts: tuple[str, ...]
) -> Composed:
    """Return composed pictures [count, SIDE, SIDE, 3] and their plates' corners [count, k, 4, 2].

    k is `MOST_PLATES`; the corners of missing plates are 0. The pictures are stored in the folder
    of the option `--work`, and read from there if they exist. The plates' characters are drawn in
    `fonts`.
    """
    options.work.mkdir(parents=True, exist_ok=True)
    pictures = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    corners = np.zeros((count, MOST_PLATES, 4, 2), np.float32)
    photographs: list[Picture] = []
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        kept = options.work / f"pictures-{seed}-{start}-{size}.npz"
        if not kept.exists():
            photographs = photographs or backgrounds.load(options.backgrounds)
            piece = _compose_piece(size, [seed, start], photographs, fonts, options.cars)
            np.savez(kept, pictures=piece[0], corners=piece[1])
        with np.load(kept) as held:
            pictures[start : start + size] = held["pictures"]
            corners[start : start + size] = held["corners"]
    return pictures, corners


def trained(course: Course, train: Composed, held_out: Composed) -> PlateDetector:
    """Train the course's network with the composed pictures `train`.

    Returns the network with averaged weights. Scores on some of the pictures `held_out` are printed
    at intervals.
    """
    pictures, corners = torch.from_numpy(train[0]), torch.from_numpy(train[1])
    small = (held_out[0][:SCORED_ON_THE_WAY], held_out[1][:SCORED_ON_THE_WAY])

    def loss_of(chosen: Tensor, step: int) -> Tensor:
        seen = _varied(normalised(pictures[chosen]), grey=step % 3 == 0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cells = course.network(seen.contiguous(memory_format=torch.channels_last))
        centres, distance = loss(cells.float(), *targets(corners[chosen], CELLS))
        return centres + distance * 0.5

    def report(network: nn.Module) -> str:
        assert isinstance(network, PlateDetector)
        return str(score(network, small, limit=0.4))

    network = course.run(len(pictures), loss_of, report)
    assert isinstance(network, PlateDetector)
    return network


def take_up(network: PlateDetector, weights: Path, pictures: Tensor) -> None:
    """Load exported weights into a network, to continue its training.

    The export merged the statistics of batch normalisation into the weights. New statistics are
    therefore measured on `pictures`.
    """
    graph = onnx.load(str(weights)).graph
    values = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    folded = [
        [torch.tensor(values[name]) for name in node.input[1:]]
        for node in graph.node
        if node.op_type == "Conv"
    ]
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Sequential)]
    pairs = [(layer[0], layer[1]) for layer in layers if isinstance(layer[0], nn.Conv2d)]
    assert len(folded) == len(pairs) + 1
    taken = []
    for (convolution, statistics), (weight, bias) in zip(pairs, folded, strict=False):
        convolution.weight.data.copy_(weight)
        taken.append(convolution.register_forward_hook(partial(_measured, statistics, bias)))
    network.head.weight.data.copy_(folded[-1][0])
    network.head.bias.data.copy_(folded[-1][1])
    network.eval()
    with torch.no_grad():
        network(pictures)
    for hook in taken:
        hook.remove()
    network.train()


def _measured(
    statistics: nn.BatchNorm2d, bias: Tensor, _module: nn.Module, _given: object, output: Tensor
) -> None:
    """Set a normalisation so that it takes nothing away from what the layer gives now."""
    mean, variance = output.mean((0, 2, 3)), output.var((0, 2, 3))
    statistics.running_mean = mean
    statistics.running_var = variance
    statistics.weight.data.copy_((variance + statistics.eps).sqrt())
    statistics.bias.data.copy_(bias + mean)


def score(network: PlateDetector, held_out: Composed, *, limit: float) -> dict[str, float]:
    """Return "recall", "precision" and the mean "corner_error" on the composed pictures `held_out`.

    The corner error is a share of the plate's width. Detections with scores up to `limit` are
    ignored.
    """
    network.eval()
    served = ServedDetector(network)
    hits = claims = plates = 0
    errors: list[float] = []
    with torch.no_grad():
        for picture, corners in zip(torch.from_numpy(held_out[0]), held_out[1], strict=True):
            cells = served(picture[None])[0].numpy()
            truth = [plate for plate in corners if plate.any()]
            plates += len(truth)
            for row, column in zip(*np.nonzero(cells[0] > limit), strict=True):
                claims += 1
                middle = np.array([column + 0.5, row + 0.5])
                quad = (cells[1:, row, column].reshape(4, 2) + middle) * STRIDE
                error, index = min(
                    ((_distance(quad, plate), place) for place, plate in enumerate(truth)),
                    default=(1.0, -1),
                )
                if error < MATCH_SHARE:
                    hits += 1
                    errors.append(error)
                    truth.pop(index)
    network.train()
    return {
        "recall": round(hits / max(1, plates), 3),
        "precision": round(hits / max(1, claims), 3),
        "corner_error": round(float(np.mean(errors)) if errors else 1.0, 3),
    }


def export(network: PlateDetector, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    served = ServedDetector(network.to(memory_format=torch.contiguous_format)).eval()
    torch.onnx.export(
        served,
        (torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8),),
        str(path),
        input_names=["image"],
        output_names=["cells"],
        dynamic_axes={
            "image": {0: "n", 1: "height", 2: "width"},
            "cells": {0: "n", 2: "rows", 3: "columns"},
        },
        opset_version=17,
        dynamo=False,
    )
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


def _compose_piece(
    count: int, seed: list[int], photographs: list[Picture], fonts: tuple[str, ...], cars: int
) -> Composed:
    rng = np.random.default_rng(seed)
    garage = Garage.drawn(rng, each=cars)
    pictures = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    corners = np.zeros((count, MOST_PLATES, 4, 2), np.float32)
    for index in range(count):
        sample = compose(rng, photographs, garage, fonts)
        pictures[index] = sample.picture
        for place, plate in enumerate(sample.plates):
            corners[index, place] = plate
    return pictures, corners


def _varied(pictures: Tensor, *, grey: bool) -> Tensor:
    count = len(pictures)
    varied = pictures * (torch.rand(count, 1, 1, 1) * 0.6 + 0.7)
    varied = varied + torch.rand(count, 3, 1, 1) * 0.3 - 0.15
    return varied.mean(1, keepdim=True).repeat(1, 3, 1, 1) if grey else varied


def _distance(found: NDArray[np.float64], truth: NDArray[np.float32]) -> float:
    width = float(np.linalg.norm(truth[1] - truth[0]))
    return float(np.linalg.norm(found - truth, axis=1).mean()) / width


def _write_card(
    options: argparse.Namespace, course: Course, figures: dict[str, dict[str, float]]
) -> None:
    weights = options.out / "plate_detector.onnx"
    card = {
        "name": "plate_detector",
        "source": "trained here on rendered plates over packaged photographs",
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "command": f"train_plate_detector.py --looks {options.looks} --seed {options.seed}"
        f" --samples {options.samples} --rate {options.rate}"
        + (f" --start {options.start}" if options.start else ""),
        "pictures_composed": options.samples,
        "loss": {"first": round(course.first_loss, 3), "last": round(course.loss, 3)},
        "held_out": {"fonts": list(HELD_OUT_FONTS), "pictures": options.held_out, **figures},
    }
    (options.out / "plate_detector.training.json").write_text(json.dumps(card, indent=2) + "\n")


def _options() -> argparse.Namespace:
    root = Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--looks", type=int, default=90_000, help="pictures shown in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--samples", type=int, default=12_000)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--cars", type=int, default=CARS, help="whole cars drawn for each piece")
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint")
    parser.add_argument("--offline", action="store_true", help="with the photographs at hand")
    parser.add_argument("--work", type=Path, default=root / ".triton/training")
    parser.add_argument("--out", type=Path, default=root / "infra/triton/weights")
    parser.add_argument("--backgrounds", type=Path, default=root / ".triton/backgrounds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
