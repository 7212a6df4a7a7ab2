"""The plate detector: a small convolutional network that marks plate centres and four corners.

An output cell stands for 8 x 8 pixels and has nine channels. The first channel scores whether a
plate's centre is in the cell. The other eight are the offsets (x, y) of the four corners from the
cell's middle, in cells.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE: Final = 8
CHANNELS: Final = 9


def _layer(
    inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1, size: int = 3
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, dilation * (size // 2), dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PlateDetector(nn.Module):
    """The network in training, from normalised pictures [n, 3, h, w] to cells [n, 9, h/8, w/8].

    The top of this file describes the nine channels of a cell. h and w must be multiples of 16.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _layer(3, 16, stride=2),
            _layer(16, 24, stride=2),
            _layer(24, 32),
            _layer(32, 56, stride=2),
            _layer(56, 56),
            _layer(56, 56),
        )
        self.context = nn.Sequential(
            _layer(56, 72, stride=2),
            _layer(72, 72),
            _layer(72, 72, dilation=2),
            _layer(72, 72, dilation=3),
            _layer(72, 56, size=1),
        )
        self.join = _layer(56, 56)
        self.head = nn.Conv2d(56, CHANNELS, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:1], -4.0)

    def forward(self, pictures: Tensor) -> Tensor:
        fine = self.stem(pictures)
        coarse = functional.interpolate(self.context(fine), scale_factor=2.0, mode="nearest")
        result: Tensor = self.head(self.join(fine + coarse))
        return result


class ServedDetector(nn.Module):
    """The network as it is exported, from pictures as bytes [n, h, w, 3] to cells [n, 9, h/8, w/8].

    It normalises the pictures, and sets every centre score that is not a local maximum to 0.
    """

    def __init__(self, detector: PlateDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> Tensor:
        cells = self.detector(normalised(image))
        heat = cells[:, :1].sigmoid()
        peaks = (heat == functional.max_pool2d(heat, 5, 1, 2)).float() * heat
        return torch.cat([peaks, cells[:, 1:]], 1)


def normalised(images: Tensor) -> Tensor:
    """Convert pictures as bytes [n, h, w, 3] to the network's input: floats [n, 3, h, w].

    The floats are between -2 and 2.
    """
    return (images.permute(0, 3, 1, 2).float() - 127.5) / 64


def targets(corners: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the training targets of n pictures with at most k plates each.

    `corners` [n, k, 4, 2] are the plates' corners in pixels, all 0 for a missing plate. With c =
    `cells`, the targets are the heat [n, c, c] (1 at a plate's centre), the offsets of the corners
    [n, 8, c, c] and the weights of the offsets [n, c, c].
    """
    count = len(corners)
    heat = torch.zeros(count, cells, cells)
    offsets = torch.zeros(count, 8, cells, cells)
    weights = torch.zeros(count, cells, cells)
    middle = torch.arange(cells) + 0.5
    grid_y, grid_x = torch.meshgrid(middle, middle, indexing="ij")
    for index, plates in enumerate(corners):
        for plate in plates:
            if not plate.any():
                continue
            quad = plate / STRIDE
            centre = quad.mean(0)
            wide, tall = (quad[1] - quad[0]).norm(), (quad[3] - quad[0]).norm()
            across = (grid_x - centre[0]) / (wide * 0.16 + 0.35)
            down = (grid_y - centre[1]) / (tall * 0.22 + 0.35)
            bump = torch.exp(-(across**2 + down**2) / 2)
            column, row = (int(value.clamp(0, cells - 1)) for value in centre)
            bump[row, column] = 1.0
            heat[index] = torch.maximum(heat[index], bump)
            rows, columns = (bump > 0.35).nonzero(as_tuple=True)
            for corner in range(4):
                offsets[index, 2 * corner, rows, columns] = quad[corner, 0] - (columns + 0.5)
                offsets[index, 2 * corner + 1, rows, columns] = quad[corner, 1] - (rows + 0.5)
            weights[index, rows, columns] = 1 / (wide * 0.15 + 1)
    return heat, offsets, weights


def loss(cells: Tensor, heat: Tensor, offsets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two losses of the network's output `cells`, given the results of `targets`.

    They are the focal loss of the centres, and the weighted mean distance of the corners.
    """
    chance = cells[:, 0].sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = heat > 0.999
    miss = (1 - chance) ** 2 * chance.log()
    false = (1 - heat) ** 4 * chance**2 * (1 - chance).log()
    centres = -torch.where(centre, miss, false).sum() / max(1, int(centre.sum()))
    distance = (cells[:, 1:] - offsets).abs().sum(1) * weights
    return centres, distance.sum() / max(1, int((weights > 0).sum()))
