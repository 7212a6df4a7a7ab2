"""The Kazakh plate reader: a small convolutional network that reads one line of a plate.

The input is a grey crop, 32 pixels high and 160 wide. Each of 40 columns of the output has the
probabilities of blank, digits and letters (connectionist temporal classification, CTC). A second
head predicts the character at each position of the text; this head is used only to speed up
training.
"""

from typing import Final

import torch
from lines import CLASSES, COLUMNS, LONGEST
from torch import Tensor, nn
from torch.nn import functional

FEATURES: Final = 144


def _layer(
    inputs: int,
    outputs: int,
    *,
    size: tuple[int, int] = (3, 3),
    stride: int = 1,
    padding: tuple[int, int] = (1, 1),
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class PlateReader(nn.Module):
    """The network in training: from normalised crops [n, 1, 32, 160] it computes class scores for
    each column [n, 37, 40] and for each position in the text [n, 9, 37]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _layer(1, 28, stride=2),
            _layer(28, 48),
            nn.MaxPool2d(2),
            _layer(48, 72),
            _layer(72, 96),
            nn.MaxPool2d((2, 1)),
            _layer(96, 128),
            _layer(128, FEATURES, size=(4, 1), padding=(0, 0)),
            _layer(FEATURES, FEATURES, size=(1, 5), padding=(0, 2)),
        )
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Conv2d(FEATURES, CLASSES, 1))
        self.slots = nn.Linear(FEATURES * COLUMNS // 2, LONGEST * CLASSES)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(crops)
        columns: Tensor = self.head(features).squeeze(2)
        pooled = functional.avg_pool1d(features.squeeze(2), 2).flatten(1)
        places: Tensor = self.slots(pooled).view(len(crops), LONGEST, CLASSES)
        return columns, places


class ServedReader(nn.Module):
    """The network as it is exported, without the second head.

    It converts crops as bytes [n, 32, 160, 1] to the class probabilities of each column [n, 40,
    37].
    """

    def __init__(self, reader: PlateReader) -> None:
        super().__init__()
        self.features, self.head = reader.features, reader.head

    def forward(self, image: Tensor) -> Tensor:
        columns = self.head(self.features(normalised(image))).squeeze(2)
        return columns.softmax(1).permute(0, 2, 1)


def normalised(images: Tensor) -> Tensor:
    """Convert crops as bytes [n, 32, 160, 1] to the network's input: floats [n, 1, 32, 160].

    The floats are between -2 and 2.
    """
    return (images.permute(0, 3, 1, 2).float() - 127.5) / 64


def loss(columns: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of the network's two outputs, `columns` and `places`.

    It is the CTC loss of the column scores plus the cross-entropy of the position scores. `wanted`
    has the true classes [n, 9], as `encoded` returns them.
    """
    count = len(wanted)
    log_chances = columns.float().log_softmax(1).permute(2, 0, 1)
    lengths = (wanted > 0).sum(1)
    lined_up = functional.ctc_loss(
        log_chances, wanted, torch.full((count,), COLUMNS), lengths, zero_infinity=True
    )
    placed = functional.cross_entropy(places.float().reshape(-1, CLASSES), wanted.reshape(-1))
    return lined_up + placed
