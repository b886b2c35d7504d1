"""
Port forwarding from the host's loopback into the cluster's network namespace, for clients without root or nsenter.

`port_forward.py NAMESPACE 41234=127.0.0.1:6443 …` listens on loopback ports of the machine and carries
bytes to addresses inside. A socket belongs to the network namespace it was made in: the listeners are made first, then
the process moves inside and makes its outgoing connections there.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

CLONE_NEWNET = 0x40000000
CHUNK_BYTES = 1 << 18


def forward_command(namespace: Path, forwards: Mapping[int, str]) -> list[str | Path]:
    """The command of the daemon that opens `forwards`, loopback port to address inside the network `namespace`."""
    # Run as a file: a daemon must not depend on the folder and the search path of whoever started it.
    return [sys.executable, "-I", __file__, namespace, *(f"{port}={target}" for port, target in forwards.items())]


def listener(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1 of the namespace the caller is in."""
    made = socket.create_server(("127.0.0.1", port), backlog=256)
    made.setblocking(False)
    return made


def enter_namespace(namespace: Path) -> None:
    """Moves this process into the network namespace behind the file `namespace`; raises OSError when it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    with namespace.open() as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))


async def forward_connection(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connects one client with `target` ("address:port") until either side is done."""
    host, port = target.rsplit(":", 1)
    try:
        their_reader, their_writer = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy_stream(reader, their_writer), copy_stream(their_reader, writer))
    for each in (writer, their_writer):
        each.close()


async def copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies one direction, and passes its end on: a half-closed connection stays half-closed. A broken one ends."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def serve(forwards: dict[str, socket.socket]) -> None:
    """Carries every connection to a door's socket to the target it is named by, for ever."""
    servers = [
        await asyncio.start_server(partial(forward_connection, target), sock=sock) for target, sock in forwards.items()
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main(arguments: Sequence[str]) -> None:
    """Run the forwarder; `arguments` are NAMESPACE PORT=TARGET…."""
    pairs = [door.split("=", 1) for door in arguments[1:]]
    forwards = {target: listener(int(port)) for port, target in pairs}
    enter_namespace(Path(arguments[0]))
    asyncio.run(serve(forwards))


if __name__ == "__main__":
    main(sys.argv[1:])
