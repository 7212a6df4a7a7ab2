"""One run of the bench, which is quick or full. All measurements of a run use its pictures and its
mesh."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tartip_bench.bench_mesh import BenchMesh, running_bench_mesh

_PHOTOGRAPHS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_TEXTS = ("453DXA02", "871MKE01", "206BAS05", "934TRN13", "518KZA02", "762LOM06")


@dataclass
class Run:
    quick: bool
    report: Callable[[str], None]
    photographs_folder: Path | None
    scratch: Path
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _bench_mesh: BenchMesh | None = None

    def sized(self, *, full: int, quick: int) -> int:
        return quick if self.quick else full

    async def bench_mesh(self) -> BenchMesh:
        """Return the mesh of this run. The first call starts the mesh. Raises Failure if the mesh
        does not become ready."""
        if self._bench_mesh is None:
            self.report("starting a mesh")
            self._bench_mesh = await self._stack.enter_async_context(running_bench_mesh())
        return self._bench_mesh

    def scenes(self, count: int) -> list[Path]:
        """Return the paths of `count` drawn road scenes (JPEG files). Every run draws the same
        scenes."""
        from tartip_scenes.scenes import draw_scene

        files = []
        for place in range(count):
            path = self.scratch / f"scene-{place}.jpg"
            if not path.exists():
                path.write_bytes(draw_scene(place, text=_TEXTS[place % len(_TEXTS)]).jpeg)
            files.append(path)
        return files

    def photographs(self, count: int) -> list[Path]:
        """Return at most `count` photographs, spread evenly over the sorted files of
        `photographs_folder`. If `photographs_folder` is None, the list is empty."""
        if self.photographs_folder is None:
            return []
        found = sorted(
            path
            for path in self.photographs_folder.rglob("*")
            if path.suffix.lower() in _PHOTOGRAPHS and path.is_file()
        )
        return found[:: max(1, len(found) // count)][:count]


@asynccontextmanager
async def running(
    *, quick: bool, report: Callable[[str], None], photographs: Path | None
) -> AsyncIterator[Run]:
    with tempfile.TemporaryDirectory(prefix="tartip-bench-files-") as scratch:
        run = Run(quick, report, photographs, Path(scratch))
        async with run._stack:
            yield run
