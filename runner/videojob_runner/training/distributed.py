"""
Training in several processes on one machine, one per GPU, over torch.distributed.

Networks are not wrapped: `DistributedDataParallel` fails with two forward passes for one backward pass and is not made
for gradient penalties. Parameters are broadcast once, gradients averaged before each optimizer step. Without a process
group every function does what is right for a single process. All processes must call the collective functions in the
same order, and give gradients to the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from videojob_runner.engine.api import Checkpointer

CONTINUE, SAVE, STOP = range(3)
MAX_PATH_BYTES: Final = 4096


class PeerStopped(Exception):
    """Raised in the other processes when the main one stops; the main process has the reason."""


def rank() -> int:
    """This process's number, 0 for the main one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def process_group(*, rank: int, world_size: int, device: str, init_method: str) -> Iterator[None]:
    """Joins the group of processes for the block: gloo for tensors on the CPU, NCCL for those on CUDA."""
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, init_method=init_method, rank=rank, world_size=world_size)
    try:
        yield
    finally:
        dist.destroy_process_group()


@torch.no_grad()
def broadcast_parameters(networks: Iterable[nn.Module]) -> None:
    """Copies all parameters and buffers from the main process to the others."""
    if world_size() == 1:
        return
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers())]
    for group in _same_type(tensors):
        flat = _flatten(group)
        dist.broadcast(flat, src=0)
        _unflatten(flat, group)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over all processes, in one message per type of tensor."""
    if world_size() == 1:
        return
    for group in _same_type([p.grad for p in parameters if p.grad is not None]):
        flat = _flatten(group)
        dist.all_reduce(flat)
        _unflatten(flat.div_(world_size()), group)


@torch.no_grad()
def average(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes."""
    if world_size() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / world_size()


def all_any(flag: bool) -> bool:
    """Whether `flag` is true in any process; one message between the CPUs, which waits for no GPU."""
    if world_size() == 1:
        return flag
    shared = torch.tensor(int(flag))
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return bool(shared)


def gather_states(state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """The uint8 vectors of every process by rank; names and lengths must be the same in all."""
    if world_size() == 1:
        return [dict(state)]
    names = sorted(state)
    lengths = [len(state[name]) for name in names]
    mine = torch.cat([state[name] for name in names])
    gathered = [torch.empty_like(mine) for _ in range(world_size())]
    dist.all_gather(gathered, mine)
    return [dict(zip(names, torch.split(each, lengths), strict=True)) for each in gathered]


def synchronize_batch_norm(network: nn.Module, device: str) -> nn.Module:
    """Batch statistics over all processes on CUDA; on the CPU, which torch does not support, they stay local."""
    if world_size() > 1 and device.startswith("cuda"):
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    return network


class DistributedCheckpoints:
    """
    Lets all processes take part in the checkpoints of the main one (`Checkpointer`).

    The main process decides when to save and when to stop; the others follow: their `write` is called at the same
    moments, with the same folder, and must leave the files to the main process. One small message per step.
    """

    def __init__(self, main: Checkpointer) -> None:
        self.main = main

    def latest(self) -> Path | None:
        """The main process's newest checkpoint, which all must be able to read."""
        text = str(self.main.latest() or "") if rank() == 0 else ""
        name = _broadcast_text(text)
        return Path(name) if name else None

    def maybe_save(self, step: int, write: Callable[[Path], None], /) -> None:
        """See `Checkpointer`. The other processes raise PeerStopped when the main one raises anything."""
        if rank() == 0:
            self._lead(step, write)
        else:
            self._follow(write)

    def _lead(self, step: int, write: Callable[[Path], None]) -> None:
        def save(folder: Path) -> None:
            _broadcast_command(SAVE)
            _broadcast_text(str(folder))
            write(folder)

        command = STOP
        try:
            self.main.maybe_save(step, save)
            command = CONTINUE
        finally:
            _broadcast_command(command)

    def _follow(self, write: Callable[[Path], None]) -> None:
        while (command := _broadcast_command(CONTINUE)) == SAVE:
            write(Path(_broadcast_text("")))
        if command == STOP:
            raise PeerStopped("the main process has stopped")


def _broadcast_command(command: int) -> int:
    shared = torch.tensor(command)
    dist.broadcast(shared, src=0)
    return int(shared)


def _broadcast_text(text: str) -> str:
    """The main process's text, at most `MAX_PATH_BYTES` long."""
    if world_size() == 1:
        return text
    shared = torch.zeros(MAX_PATH_BYTES, dtype=torch.uint8)
    encoded = torch.tensor(list(text.encode()), dtype=torch.uint8)
    shared[: len(encoded)] = encoded
    dist.broadcast(shared, src=0)
    return bytes(shared.tolist()).rstrip(b"\0").decode()


def _same_type(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    return list(groups.values())


def _flatten(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _unflatten(flat: Tensor, tensors: list[Tensor]) -> None:
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))
