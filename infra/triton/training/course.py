"""Trains a network: batches in a reproducible order, a falling learning rate, averaged weights.

The same seed gives the same pictures in the same order. With a checkpoint, interrupted training can
be resumed and ends with the same weights as without the interruption.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

REMEMBERED: Final = 0.998
"""The decay of the moving average of the weights; the averaged weights are exported."""
WARM_STEPS: Final = 100
LAST_SHARE: Final = 0.002
"""The learning rate at the end, as a share of the peak rate."""
LARGEST_STEP: Final = 10.0
REPORT_SECONDS: Final = 120.0
LOSS_MEMORY: Final = 0.98


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a training run (`Course`).

    `looks` is the number of pictures shown in all steps together, counting repeats; `batch` is the
    number of pictures in one step, and `rate` is the peak learning rate. With `resume`, training
    continues from the file `checkpoint`.
    """

    looks: int
    batch: int
    rate: float
    seed: int
    checkpoint: Path | None = None
    resume: bool = False


@dataclass(slots=True)
class Course:
    """The training of `network` by a plan, and the progress of the training.

    `steps` counts the steps done. `first_loss` is the loss of the first step, and `loss` is the
    running mean of the losses.
    """

    network: nn.Module
    plan: Plan
    steps: int = 0
    first_loss: float = 0.0
    loss: float = 0.0
    smoothed: AveragedModel = field(init=False)
    optimiser: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        self.network = self.network.to(memory_format=torch.channels_last)
        self.smoothed = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(REMEMBERED), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.plan.rate, weight_decay=1e-3
        )
        kept = self.plan.checkpoint
        if self.plan.resume and kept and kept.exists():
            self._restore(torch.load(kept, weights_only=True))

    def run(
        self,
        count: int,
        loss_of: Callable[[Tensor, int], Tensor],
        report: Callable[[nn.Module], str],
    ) -> nn.Module:
        """Train with the pictures 0 to `count` - 1; return the network with averaged weights.

        `loss_of` gets the indices of a step's pictures and the step's number, and returns the loss.
        At intervals, `report` is called with the averaged network, and the text that it returns is
        printed.
        """
        started = reported = time.monotonic()
        last = math.ceil(self.plan.looks / self.plan.batch)
        while self.steps < last:
            self._step(loss_of, self._chosen(count), self.steps / last)
            if time.monotonic() - reported > REPORT_SECONDS or self.steps == last:
                reported = time.monotonic()
                self._save()
                print(
                    f"{reported - started:5.0f} s, {self.steps * self.plan.batch} looks,"
                    f" loss {self.loss:.3f}, {report(self.smoothed.module)}",
                    flush=True,
                )
        averaged: nn.Module = self.smoothed.module
        return averaged

    def _chosen(self, count: int) -> Tensor:
        in_turn = math.ceil(count / self.plan.batch)
        turn, place = divmod(self.steps, in_turn)
        order = torch.Generator().manual_seed(self.plan.seed * 10_000 + turn)
        chosen: Tensor = torch.randperm(count, generator=order).split(self.plan.batch)[place]
        return chosen

    def _step(self, loss_of: Callable[[Tensor, int], Tensor], chosen: Tensor, share: float) -> None:
        warm = min(1.0, self.steps / WARM_STEPS + 0.05)
        for group in self.optimiser.param_groups:
            falling = 0.5 * (1 + math.cos(math.pi * share)) + LAST_SHARE
            group["lr"] = self.plan.rate * warm * falling
        loss = loss_of(chosen, self.steps)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_STEP)
        self.optimiser.step()
        self.smoothed.update_parameters(self.network)
        if not self.steps:
            self.first_loss = self.loss = loss.item()
        self.loss = LOSS_MEMORY * self.loss + (1 - LOSS_MEMORY) * loss.item()
        self.steps += 1

    def _save(self) -> None:
        kept = self.plan.checkpoint
        if kept is None:
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "smoothed": self.smoothed.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "chance": torch.get_rng_state(),
            "steps": self.steps,
            "losses": [self.first_loss, self.loss],
        }
        written = kept.with_suffix(".new")
        torch.save(state, written)
        written.replace(kept)

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.smoothed.load_state_dict(state["smoothed"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["chance"])
        self.steps = int(state["steps"])
        self.first_loss, self.loss = state["losses"]
        print(f"going on after {self.steps * self.plan.batch} looks", flush=True)
