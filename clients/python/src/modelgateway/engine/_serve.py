"""A worker process: handshake, service, exit."""

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
#: Version of go-plugin's core protocol, and of modelgateway.engine.v1.
_PROTOCOL = "1|1"

#: Maximum size of a message between server and worker: 64 MiB of audio, and the fields around it.
_MAX_MESSAGE_BYTES = (64 << 20) + (1 << 20)
#: Each run and the Watch stream use a thread; further calls wait. Threads are created when they are needed.
_MAX_THREADS = 256

#: Seconds until a worker exits after SIGTERM, and after the server is gone.
_CLOSE_BOUND = 10.0
_ORPHAN_BOUND = 1.0
#: Seconds between two checks whether the parent process lives.
_PARENT_INTERVAL = 1.0


def serve(engine: Engine) -> NoReturn:
    """Runs an engine as a worker process and exits. Call it as the main program of an engine.

    With --version it prints a description of the engine. Output of logging and
    print goes to the server's log.
    """
    if len(sys.argv) == 2 and sys.argv[1] == "--version":
        print(f"{engine.name} {engine.version}\ntasks: {', '.join(engine.tasks)}\ndevices: {', '.join(engine.devices)}")
        sys.exit(0)
    if os.environ.get(_COOKIE[0]) != _COOKIE[1]:
        print(f"{engine.name} is an engine of ModelGateway; the server starts it to run a model", file=sys.stderr)
        sys.exit(2)
    # Ctrl-C in the server's terminal also reaches this process; the server decides when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = _live(engine)
    logging.shutdown()
    # Exit without waiting for threads of libraries that may still run.
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
    _log_to_server()
    servicer = Servicer(engine, over.set)
    server, socket = _listen(servicer, over)
    _shake_hands(socket)
    while not over.wait(_PARENT_INTERVAL):
        if os.getppid() != parent:  # the server died before it opened Watch
            break
    ended = servicer.shutdown(_CLOSE_BOUND if terminated else _ORPHAN_BOUND)
    server.stop(0.5).wait()
    try:
        os.unlink(socket)
    except FileNotFoundError:
        pass
    if not ended:
        _log.warning("the current calls did not end in time")
    return 0 if ended or not terminated else 1


def _listen(servicer: Servicer, over: threading.Event) -> tuple[grpc.Server, str]:
    """Listens on a socket in the folder that the server gives."""
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
    """The services of go-plugin that a host calls. Their messages are small, so they are given as bytes."""

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
    """Tells the server where the worker listens. Later output goes to the log."""
    sys.stdout.flush()
    os.write(1, f"{_PROTOCOL}|unix|{socket}|grpc\n".encode())
    os.dup(1)  # keep it open: the server would take its end for the end of the process
    os.dup2(2, 1)


class _HostFormatter(logging.Formatter):
    """Formats records as JSON lines, as go-plugin's hosts expect."""

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


def _log_to_server() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_HostFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
