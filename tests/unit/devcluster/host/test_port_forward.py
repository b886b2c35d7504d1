"""The door into the namespace: bytes arrive whole, both ways, and ends are passed on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from devcluster.host import port_forward
from devcluster.host.ports import free_ports


async def echo_upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only after the client has said that it is done: needs half-closed connections."""
    data = await reader.read()
    writer.write(data.upper())
    await writer.drain()
    writer.close()


@asynccontextmanager
async def door_to(target: str) -> AsyncIterator[int]:
    listener = port_forward.listener(0)
    port = listener.getsockname()[1]
    server = await asyncio.start_server(partial(port_forward.forward_connection, target), sock=listener)
    try:
        yield port
    finally:
        server.close()


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_large_question_gets_its_whole_answer_after_the_question_ended() -> None:
    data = b"videojob" * 200_000
    async with await asyncio.start_server(echo_upper, "127.0.0.1", 0) as server:
        inside = server.sockets[0].getsockname()[1]
        async with door_to(f"127.0.0.1:{inside}") as port:
            assert await ask(port, data) == data.upper()


async def test_many_clients_do_not_mix() -> None:
    async with await asyncio.start_server(echo_upper, "127.0.0.1", 0) as server:
        inside = server.sockets[0].getsockname()[1]
        async with door_to(f"127.0.0.1:{inside}") as port:
            words = [f"client{number}".encode() for number in range(50)]
            assert await asyncio.gather(*(ask(port, word) for word in words)) == [word.upper() for word in words]


async def test_a_target_that_is_not_there_closes_the_connection() -> None:
    (nobody,) = free_ports(1)
    async with door_to(f"127.0.0.1:{nobody}") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()


def test_a_door_is_open_on_loopback_only() -> None:
    with port_forward.listener(0) as made:
        assert made.getsockname()[0] == "127.0.0.1"
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_the_ports_found_free_are_different_and_can_be_bound() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
