"""
A way to the API server that can go silent without closing: what a broken network looks like from inside.

It is a process of its own, so that stopping it (SIGSTOP) keeps every connection open and lets no byte through.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FreezableProxy:
    """A running relay on loopback."""

    port: int
    process: subprocess.Popen[str]

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def run_proxy(target: int) -> Iterator[FreezableProxy]:
    """A relay to a port of 127.0.0.1, until the block ends."""
    command = [sys.executable, str(Path(__file__)), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield FreezableProxy(int(process.stdout.readline()), process)
        finally:
            process.kill()


async def copy_stream(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def serve(target: int) -> None:
    async def relay(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(copy_stream(near, forth), copy_stream(far, back))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
