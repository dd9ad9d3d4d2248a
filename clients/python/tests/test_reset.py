"""Tests calls whose proxy has lost the server: it resets their streams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import grpc
import pytest

import modelgateway
from modelgateway import aio

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS = 1, 3, 4
INTERNAL_ERROR, CANCEL = 2, 8


class Resetting:
    """A proxy that resets each stream with a code of HTTP/2."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.streams = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as data:
            data.read(len(PREFACE))
            connection.sendall(_frame(SETTINGS, 0))
            while head := data.read(9):
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                data.read(int.from_bytes(head[:3], "big"))
                if kind == SETTINGS and not flags & 1:
                    connection.sendall(_frame(SETTINGS, 0, flags=1))
                elif kind == HEADERS:
                    self.streams += 1
                    connection.sendall(_frame(RST_STREAM, stream, struct.pack(">I", self.code)))

    def close(self) -> None:
        self._listener.close()


def _frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@pytest.fixture(params=[INTERNAL_ERROR, CANCEL])
def resetting(request: pytest.FixtureRequest) -> Iterator[Resetting]:
    proxy = Resetting(request.param)
    yield proxy
    proxy.close()


def check(error: modelgateway.ModelGatewayError, proxy: Resetting) -> None:
    """A reset is not a cancellation by the caller, and the call was made again."""
    assert isinstance(error, modelgateway.ServerUnreachable) and error.reason == ""
    assert error.code in (grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL)
    assert proxy.streams == 3


def test_a_reset_call(resetting: Resetting) -> None:
    with modelgateway.Client(resetting.address) as client, pytest.raises(modelgateway.ServerUnreachable) as raised:
        client.chat("x")
    check(raised.value, resetting)


def test_a_reset_stream_of_asyncio(resetting: Resetting) -> None:
    async def ask() -> None:
        async with aio.AsyncClient(resetting.address) as client:
            async for _ in client.stream_chat("x"):
                pass

    with pytest.raises(modelgateway.ServerUnreachable) as raised:
        asyncio.run(ask())
    check(raised.value, resetting)


def test_a_reset_at_the_deadline(resetting: Resetting) -> None:
    """The server's clock was ahead."""
    with modelgateway.Client(resetting.address) as client, pytest.raises(modelgateway.DeadlineExceeded):
        client.chat("x", timeout=0.08)
