"""The life of a worker process: handshake, service, end."""

from __future__ import annotations

import datetime
import json
import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
from concurrent import futures
from typing import Any, NoReturn

import grpc

from modelgateway.engine.v1 import engine_pb2_grpc

from ._interface import Engine
from ._servicer import Servicer

_log = logging.getLogger(__name__)

_COOKIE = ("MODELGATEWAY_ENGINE", "modelgateway.engine.v1")
#: go-plugin's core protocol, and the version of ours.
_PROTOCOL = "1|1"

#: The largest message between gateway and worker: 64 MiB of audio, and what wraps it.
_MAX_MESSAGE_BYTES = (64 << 20) + (1 << 20)
#: Each run and the Watch stream hold a thread; more wait. Threads are made when they are needed.
_MAX_THREADS = 256

#: Seconds that a worker may take to end: one that was told to, and one whose gateway is gone.
_CLOSE_BOUND = 10.0
_ORPHAN_BOUND = 1.0
#: Seconds between two looks whether the parent lives.
_PARENT_INTERVAL = 1.0


def serve(engine: Engine) -> NoReturn:
    """Serves an engine as a worker process and exits when its life is over; all that an engine's main does.

    Started by hand, it says what it is. What is logged with logging reaches the
    gateway's log, and so does what is printed.
    """
    if len(sys.argv) == 2 and sys.argv[1] == "--version":
        print(f"{engine.name} {engine.version}\ntasks: {', '.join(engine.tasks)}\ndevices: {', '.join(engine.devices)}")
        sys.exit(0)
    if os.environ.get(_COOKIE[0]) != _COOKIE[1]:
        print(f"{engine.name} is a worker of ModelGateway, which starts it to run a model.", file=sys.stderr)
        sys.exit(2)
    # The gateway's terminal sends Ctrl-C to it, and it decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = _live(engine)
    logging.shutdown()
    # At once: a library's threads may go on, and nobody waits for them.
    os._exit(code)


def _live(engine: Engine) -> int:
    parent = os.getppid()
    over = threading.Event()
    terminated = False

    def terminate(number: int, frame: Any) -> None:
        nonlocal terminated
        terminated = True
        over.set()

    signal.signal(signal.SIGTERM, terminate)
    _log_to_gateway()
    servicer = Servicer(engine, over.set)
    server, socket = _listen(servicer, over)
    _shake_hands(socket)
    while not over.wait(_PARENT_INTERVAL):
        if os.getppid() != parent:  # it died before it opened Watch
            break
    ended = servicer.shutdown(_CLOSE_BOUND if terminated else _ORPHAN_BOUND)
    server.stop(0.5).wait()
    try:
        os.unlink(socket)
    except FileNotFoundError:
        pass
    if not ended:
        _log.warning("work did not end in time")
    return 0 if ended or not terminated else 1


def _listen(servicer: Servicer, over: threading.Event) -> tuple[grpc.Server, str]:
    """Serves on a socket in the folder that the gateway names."""
    server = grpc.server(
        futures.ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="call"),
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ],
    )
    engine_pb2_grpc.add_EngineServicer_to_server(servicer, server)
    server.add_generic_rpc_handlers(_plugin_services(over))
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.gettempdir()
    socket = os.path.join(folder, f"plugin{secrets.token_hex(4)}")
    mask = os.umask(0o077)
    try:
        server.add_insecure_port(f"unix:{socket}")
        server.start()
    finally:
        os.umask(mask)
    return server, socket


def _plugin_services(over: threading.Event) -> tuple[grpc.GenericRpcHandler, ...]:
    """What go-plugin's hosts ask of every plugin. Its messages are so small that they are written here as bytes."""

    def check(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"\x08\x01"  # HealthCheckResponse{status: SERVING}

    def shutdown(request: bytes, context: grpc.ServicerContext) -> bytes:
        over.set()
        return b""

    return (
        grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
        ),
        grpc.method_handlers_generic_handler(
            "plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
        ),
    )


def _shake_hands(socket: str) -> None:
    """Tells the gateway where the worker listens; what is printed after that goes to the log."""
    sys.stdout.flush()
    os.write(1, f"{_PROTOCOL}|unix|{socket}|grpc\n".encode())
    os.dup(1)  # stays open: its end would look like the process's
    os.dup2(2, 1)


class _GatewayFormatter(logging.Formatter):
    """JSON lines as go-plugin's hosts read them."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        level = {"warning": "warn", "critical": "error"}.get(record.levelname.lower(), record.levelname.lower())
        fields = {
            "@level": level,
            "@message": super().format(record),
            "@module": record.name,
            "@timestamp": moment.isoformat(),
        }
        return json.dumps(fields)


def _log_to_gateway() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_GatewayFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
