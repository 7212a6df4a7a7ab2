"""Reports the results of the measurement on the screen, in docs/ACCURACY.md and as pictures.

The document has a section for each part of the measurement (faces, plates, ...); a run of some
parts leaves the other sections unchanged. Pictures of failures are written to a folder, with an
index.html that shows them.
"""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
from vision.arrays import Picture
from vision.boxes import Box

HEAD: Final = """# Accuracy

Written by `make accuracy`; the pictures and films come from `TARTIP_PHOTOGRAPHS` and nobody of this
project made them. One setting, the default, for every picture and film. Shares are given with
their counts and Wilson's 95 % interval. What failed is drawn into `.tartip/accuracy-failures`, to
look through in its `index.html`.
"""
NOTES: Final = Path(__file__).with_name("notes.md")
"""Notes written by hand: what a person saw in the failures and what the figures do not show."""
_SECTION: Final = re.compile(r"<!-- part: (\w+) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_MOST_PIXELS: Final = 1280
_LEFT_OUT: Final = re.compile(r"[^\w.-]+")
_SHEET: Final = """<!doctype html><meta charset="utf-8"><title>Failures</title>
<style>body{font:14px sans-serif;margin:2em}figure{display:inline-block;margin:.5em;width:320px;
vertical-align:top}img{max-width:100%}</style><h1>What failed</h1>
"""


@dataclass(frozen=True, slots=True)
class Failure:
    file: str
    why: str


@dataclass
class Page:
    """The report of the measurement. `start` begins the section of a part; other methods add to the
    section.

    The field `order` lists the parts in the order of their sections. Pictures of failures are
    written to `failures_folder`.
    """

    order: Sequence[str]
    failures_folder: Path
    _sections: dict[str, list[str]] = field(default_factory=dict)
    _failures: dict[str, list[Failure]] = field(default_factory=dict)
    _part: str = ""

    def start(self, part: str) -> None:
        self._part = part
        self._sections[part], self._failures[part] = [], []
        for old in self._folder().glob("*"):
            old.unlink()

    def say(self, text: str = "") -> None:
        print(text, flush=True)
        self._sections[self._part].append(text)

    def table(self, head: str, rows: Iterable[Sequence[object]]) -> None:
        """Add a table to the current section; `head` names the columns, separated by |."""
        names = [name.strip() for name in head.split("|")]
        lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
        self.say("\n".join(f"| {' | '.join(line)} |" for line in lines))
        self.say()

    def failed(self, name: str, picture: Picture, why: str, boxes: Iterable[Box] = ()) -> None:
        """Save the picture of a failure for the index.html of failures. `boxes` are drawn in the
        picture.

        The caption consists of `name` and the reason `why`.
        """
        drawn: cv2.typing.MatLike = picture.copy()
        thick = max(2, max(picture.shape[:2]) // 400)
        for box in boxes:
            corner = (int(box.x + box.width), int(box.y + box.height))
            cv2.rectangle(drawn, (int(box.x), int(box.y)), corner, (0, 0, 255), thick)
        scale = _MOST_PIXELS / max(drawn.shape[:2])
        if scale < 1:
            drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        file = f"{len(self._failures[self._part]):03} {_LEFT_OUT.sub('_', name)}.jpg"
        self._folder().mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(self._folder() / file), drawn)
        self._failures[self._part].append(Failure(file, f"{name}: {why}"))

    def write(self, document: Path) -> None:
        """Replace the measured sections of the document, and write the index.html of failures."""
        old = document.read_text() if document.exists() else ""
        kept = {part: body for part, body in _SECTION.findall(old)}
        kept |= {part: "\n".join(lines).rstrip() + "\n" for part, lines in self._sections.items()}
        parts = [
            f"<!-- part: {part} -->\n{kept[part]}<!-- end -->\n"
            for part in self.order
            if part in kept
        ]
        document.write_text("\n".join([HEAD, *parts, NOTES.read_text()]))
        self._write_sheet()

    def _folder(self) -> Path:
        return self.failures_folder / self._part

    def _write_sheet(self) -> None:
        """Of all parts that lie in the folder, also those measured in an earlier run."""
        self.failures_folder.mkdir(parents=True, exist_ok=True)
        blocks = [_SHEET]
        told = {
            f"{p}/{each.file}": each.why for p, those in self._failures.items() for each in those
        }
        for part in self.order:
            files = sorted((self.failures_folder / part).glob("*.jpg"))
            blocks.append(f"<h2>{html.escape(part)}: {len(files)}</h2>")
            for file in files:
                path = f"{part}/{file.name}"
                why = html.escape(told.get(path, file.stem))
                blocks.append(
                    f'<figure><img src="{html.escape(path)}"><figcaption>{why}'
                    "</figcaption></figure>"
                )
        (self.failures_folder / "index.html").write_text("\n".join(blocks))
