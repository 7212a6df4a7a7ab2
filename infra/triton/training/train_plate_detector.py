"""Trains the plate detector from fonts and packaged photographs alone, and writes its card.

    python train_plate_detector.py --looks 90000 --seed 1

Needs the environment of training/README.md. The same seed composes the same pictures and shows
them in the same order; the time is the machine's (14 minutes on two free cores). With `--start` it
goes on from weights that it made before.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import time
from functools import partial
from pathlib import Path
from typing import Final

import backgrounds
import numpy as np
import onnx
import torch
from compose import MOST_PLATES, SIDE, Garage, compose
from detector import (
    STRIDE,
    PlateDetector,
    ServedDetector,
    loss,
    normalised,
    targets,
)
from numpy.typing import NDArray
from tartip_scenes.plates import FONTS, HELD_OUT_FONTS
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

BATCH: Final = 16
PEAK_RATE: Final = 2e-3
LAST_SHARE: Final = 0.002
"""Of the peak, at the end: small steps settle the corners."""
CELLS: Final = SIDE // STRIDE
CARS: Final = 30
CALIBRATION: Final = 96
REMEMBERED: Final = 0.998
"""Weights are averaged over the last steps; what is exported is the average."""
REPORT_SECONDS: Final = 120.0
MATCH_SHARE: Final = 0.25
"""A detection counts when its corners lie within this share of the plate's width, on average."""

Composed = tuple[NDArray[np.uint8], NDArray[np.float32]]


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    backgrounds.fetch(options.backgrounds)
    started = time.monotonic()
    train = composed(options.samples, options.seed, options, FONTS)
    held_out = composed(options.held_out, options.seed + 10_000, options, HELD_OUT_FONTS)
    print(f"{options.samples} pictures composed in {time.monotonic() - started:.0f} s", flush=True)
    network = PlateDetector()
    if options.start:
        resume(network, options.start, normalised(torch.from_numpy(train[0][:CALIBRATION])))
        print(f"starting at {score(network, held_out, limit=0.4)}", flush=True)
    network = trained(
        network, train, held_out, looks=options.looks, seed=options.seed, rate=options.rate
    )
    figures = {f"at {limit}": score(network, held_out, limit=limit) for limit in (0.3, 0.4, 0.5)}
    for name, figure in figures.items():
        print(f"held out {name}: {figure}", flush=True)
    export(network, options.out / "plate_detector.onnx")
    _write_card(options, figures)


def composed(
    count: int, seed: int, options: argparse.Namespace, fonts: tuple[str, ...]
) -> Composed:
    """Compose `count` pictures in as many processes as there are threads."""
    parts = options.threads
    jobs = [
        (count // parts, seed * 100 + part, options.backgrounds, fonts) for part in range(parts)
    ]
    with multiprocessing.get_context("spawn").Pool(parts) as pool:
        pieces = pool.map(_compose_part, jobs)
    return np.concatenate([p for p, _ in pieces]), np.concatenate([c for _, c in pieces])


def trained(
    network: PlateDetector,
    train: Composed,
    held_out: Composed,
    *,
    looks: int,
    seed: int,
    rate: float = PEAK_RATE,
) -> PlateDetector:
    """Show pictures until `looks` were looked at, each several times."""
    pictures, corners = torch.from_numpy(train[0]), torch.from_numpy(train[1])
    wanted = [targets(corners[at : at + 500], CELLS) for at in range(0, len(corners), 500)]
    heat, offsets, weights = (torch.cat(list(parts)) for parts in zip(*wanted, strict=True))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    smoothed = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(REMEMBERED), use_buffers=True
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    shuffle = torch.Generator().manual_seed(seed)
    started = reported = time.monotonic()
    seen = 0
    while True:
        for batch in torch.randperm(len(pictures), generator=shuffle).split(BATCH):
            share = seen / looks
            if share >= 1:
                return _inner(smoothed)
            for group in optimiser.param_groups:
                warm = min(1.0, seen / BATCH / 100 + 0.05)
                falling = 0.5 * (1 + math.cos(math.pi * share)) + LAST_SHARE
                group["lr"] = rate * warm * falling
            seen_as = _varied(normalised(pictures[batch]), grey=seen // BATCH % 3 == 0)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                cells = network(seen_as.contiguous(memory_format=torch.channels_last))
            centres, distance = loss(cells.float(), heat[batch], offsets[batch], weights[batch])
            optimiser.zero_grad()
            (centres + distance * 0.5).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimiser.step()
            smoothed.update_parameters(network)
            seen += len(batch)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                small = (held_out[0][:200], held_out[1][:200])
                figures = score(_inner(smoothed), small, limit=0.4)
                print(
                    f"{reported - started:4.0f} s, {seen} pictures, centres {centres.item():.3f},"
                    f" corners {distance.item():.3f}, held out {figures}",
                    flush=True,
                )


def _inner(smoothed: AveragedModel) -> PlateDetector:
    network = smoothed.module
    assert isinstance(network, PlateDetector)
    return network


def resume(network: PlateDetector, weights: Path, pictures: Tensor) -> None:
    """Put exported weights back, and the batch statistics that the export had folded into them."""
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
    network.head.bias.data.copy_(folded[-1][1])  # type: ignore[union-attr]
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
    """Recall, precision and corner error (share of the plate's width) on composed pictures."""
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
    served = ServedDetector(network.to(memory_format=torch.contiguous_format)).eval()  # type: ignore[call-overload]
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


def _compose_part(job: tuple[int, int, Path, tuple[str, ...]]) -> Composed:
    count, seed, folder, fonts = job
    photographs = backgrounds.load(folder)
    rng = np.random.default_rng(seed)
    garage = Garage.drawn(rng, each=CARS)
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


def _write_card(options: argparse.Namespace, figures: dict[str, dict[str, float]]) -> None:
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
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=root / "infra/triton/weights")
    parser.add_argument("--backgrounds", type=Path, default=root / ".triton/backgrounds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
