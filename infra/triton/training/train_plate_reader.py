"""Trains the Kazakh plate reader on rendered plates alone, and exports it as ONNX.

    python train_plate_reader.py --looks 400000 --seed 1

Needs the environment of training/README.md. The drawn crops and a checkpoint are kept in the folder
`--work`; `--resume` continues from the checkpoint. How the network was trained and its scores on
fonts that it was not trained on (see `score`) are written to `plate_reader_kz.training.json`.
"""

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from course import Course, Plan
from crops import CORNER_ERROR, crop
from lines import HEIGHT, LONGEST, WIDTH, decoded, encoded, written
from numpy.typing import NDArray
from reader import PlateReader, ServedReader, loss, normalised
from tartip_scenes.forms import FORMS, KAZAKH_KINDS, PlateKind
from tartip_scenes.lettering import FONTS, HELD_OUT_FONTS
from torch import Tensor, nn
from vision.plates.grammar import understood

BATCH: Final = 32
PEAK_RATE: Final = 2e-3
PIECE: Final = 2000
SCORED_ON_THE_WAY: Final = 500
SURE: Final = 0.8
MAKER: Final = "tartip"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Drawn crops [n, 32, 160, 1], the classes of their texts [n, 9], and the index of the form of
    each crop's plate [n]."""

    crops: NDArray[np.uint8]
    classes: NDArray[np.int64]
    kinds: NDArray[np.int64]

    def first(self, count: int) -> "Drawn":
        return Drawn(self.crops[:count], self.classes[:count], self.kinds[:count])


def main() -> None:
    options = _options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    started = time.monotonic()
    train = drawn(options.samples, options.seed, FONTS, options.work)
    held_out = drawn(options.held_out, options.seed + 10_000, HELD_OUT_FONTS, options.work)
    print(f"{options.samples} crops drawn in {time.monotonic() - started:.0f} s", flush=True)
    checkpoint = options.work / "plate_reader_kz.checkpoint"
    plan = Plan(options.looks, BATCH, options.rate, options.seed, checkpoint, options.resume)
    course = Course(PlateReader(), plan)
    network = trained(course, train, held_out)
    figures = score(network, held_out)
    print(f"held out: {figures}", flush=True)
    weights = options.out / "plate_reader_kz.onnx"
    export(network, weights)
    _write_card(options, course, figures)


def drawn(count: int, seed: int, fonts: tuple[str, ...], work: Path) -> Drawn:
    """Return `count` drawn crops of plates in `fonts`.

    The crops are stored in the folder `work`, `PIECE` crops to a file. If a file exists already,
    its crops are read instead of drawn.
    """
    work.mkdir(parents=True, exist_ok=True)
    pieces = []
    for number in range(-(-count // PIECE)):
        kept = work / f"crops-{seed}-{number}-{min(PIECE, count)}.npz"
        if not kept.exists():
            piece = _draw_piece(min(PIECE, count), [seed, number], fonts)
            np.savez(kept, crops=piece.crops, classes=piece.classes, kinds=piece.kinds)
        with np.load(kept) as held:
            pieces.append(Drawn(held["crops"], held["classes"], held["kinds"]))
    return Drawn(
        np.concatenate([piece.crops for piece in pieces])[:count],
        np.concatenate([piece.classes for piece in pieces])[:count],
        np.concatenate([piece.kinds for piece in pieces])[:count],
    )


def _draw_piece(count: int, seed: list[int], fonts: tuple[str, ...]) -> Drawn:
    rng = np.random.default_rng(seed)
    crops = np.zeros((count, HEIGHT, WIDTH, 1), np.uint8)
    classes = np.zeros((count, LONGEST), np.int64)
    kinds = np.zeros(count, np.int64)
    for index in range(count):
        one = crop(rng, fonts)
        crops[index], classes[index] = one.picture, encoded(one.text)
        kinds[index] = list(PlateKind).index(one.kind)
    return Drawn(crops, classes, kinds)


def trained(course: Course, train: Drawn, held_out: Drawn) -> PlateReader:
    """Train the course's network with the drawn crops `train`.

    Returns the network with averaged weights. Scores on some of the crops `held_out` are printed at
    intervals.
    """
    crops, classes = torch.from_numpy(train.crops), torch.from_numpy(train.classes)

    def loss_of(chosen: Tensor, step: int) -> Tensor:
        seen = _varied(normalised(crops[chosen]), noisy=step % 2 == 0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            columns, places = course.network(seen.contiguous(memory_format=torch.channels_last))
        return loss(columns, places, classes[chosen])

    def report(network: nn.Module) -> str:
        return str(score(network, held_out.first(SCORED_ON_THE_WAY)))

    network = course.run(len(crops), loss_of, report)
    assert isinstance(network, PlateReader)
    return network


def score(network: nn.Module, held_out: Drawn) -> dict[str, float | int]:
    """Return scores on the crops `held_out` by name: "…_lines" are counts, the others are shares.

    Scores whose names begin with "kazakh" are of Kazakh plates of one line, "rows" of plates of two
    rows, "foreign" of all other plates. "…_exact" is the share of texts read exactly. "kazakh_sure"
    is the share of Kazakh lines read with certainty (`SURE`); of these lines, "kazakh_sure_right"
    is the share that is right. "foreign_forced" is the share of foreign texts that are read as
    Kazakh ones.
    """
    assert isinstance(network, PlateReader)
    network.eval()
    served = ServedReader(network)
    with torch.no_grad():
        parts = torch.from_numpy(held_out.crops).split(256)
        chances = torch.cat([served(part) for part in parts])
    network.train()
    texts = [decoded(columns) for columns in chances.argmax(2).tolist()]
    truths = [written(one) for one in held_out.classes.tolist()]
    right = np.array([text == truth for text, truth in zip(texts, truths, strict=True)])
    sure = np.array([_weakest(one) > SURE for one in chances.numpy()])
    forms = [list(PlateKind)[kind] for kind in held_out.kinds.tolist()]
    kazakh = np.array([form in KAZAKH_KINDS and not FORMS[form].rows for form in forms])
    rows = np.array([bool(FORMS[form].rows) for form in forms])
    foreign = ~kazakh & ~rows
    forced = np.array(
        [
            understood(text).country == "KZ" and understood(truth).country != "KZ"
            for text, truth in zip(texts, truths, strict=True)
        ]
    )
    return {
        "kazakh_lines": int(kazakh.sum()),
        "kazakh_exact": _share(right[kazakh]),
        "kazakh_sure": _share(sure[kazakh]),
        "kazakh_sure_right": _share(right[kazakh & sure]),
        "rows_exact": _share(right[rows]),
        "foreign_lines": int(foreign.sum()),
        "foreign_exact": _share(right[foreign]),
        "foreign_forced": _share(forced[foreign]),
    }


def export(network: PlateReader, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    served = ServedReader(network.to(memory_format=torch.contiguous_format)).eval()
    torch.onnx.export(
        served,
        (torch.zeros(1, HEIGHT, WIDTH, 1, dtype=torch.uint8),),
        str(path),
        input_names=["image"],
        output_names=["chances"],
        dynamic_axes={"image": {0: "n"}, "chances": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(str(path))
    model.producer_name = MAKER
    onnx.save(model, str(path))
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


def _weakest(chances: NDArray[np.float32]) -> float:
    """The least chance of a column that shows a character; 0 where none does."""
    best = chances.argmax(1)
    return float(chances.max(1)[best > 0].min(initial=1.0)) if (best > 0).any() else 0.0


def _share(values: NDArray[np.bool_]) -> float:
    return round(float(values.mean()), 4) if len(values) else 0.0


def _varied(crops: Tensor, *, noisy: bool) -> Tensor:
    """Shifted by a pixel or three, lighter or darker, and every other time with noise."""
    down, across = int(torch.randint(-1, 2, (1,))), int(torch.randint(-3, 4, (1,)))
    varied = torch.roll(crops, (down, across), (2, 3))
    count = len(crops)
    varied = varied * (torch.rand(count, 1, 1, 1) * 0.6 + 0.7)
    varied = varied + torch.rand(count, 1, 1, 1) * 0.6 - 0.3
    return varied + torch.randn_like(varied) * 0.08 if noisy else varied


def _write_card(
    options: argparse.Namespace, course: Course, figures: dict[str, float | int]
) -> None:
    weights = options.out / "plate_reader_kz.onnx"
    card = {
        "name": "plate_reader_kz",
        "source": "trained here on rendered plates alone",
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "command": f"train_plate_reader.py --looks {options.looks} --seed {options.seed}"
        f" --samples {options.samples} --rate {options.rate}",
        "crops_drawn": options.samples,
        "corner_error": CORNER_ERROR,
        "loss": {"first": round(course.first_loss, 3), "last": round(course.loss, 3)},
        "held_out": {"fonts": list(HELD_OUT_FONTS), "crops": options.held_out, **figures},
    }
    (options.out / "plate_reader_kz.training.json").write_text(json.dumps(card, indent=2) + "\n")


def _options() -> argparse.Namespace:
    root = Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--looks", type=int, default=400_000, help="crops shown in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    parser.add_argument("--samples", type=int, default=48_000)
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--resume", action="store_true", help="go on after the last checkpoint")
    parser.add_argument("--work", type=Path, default=root / ".triton/training")
    parser.add_argument("--out", type=Path, default=root / "infra/triton/weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
