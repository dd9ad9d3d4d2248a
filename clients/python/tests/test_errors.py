"""Tests errors and retries."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

import modelgateway
from modelgateway.v1 import chat_pb2, errors_pb2, service_pb2_grpc


def test_every_reason_has_its_exception() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()} - {"UNSPECIFIED"}
    assert {cls.reason for cls in modelgateway.ModelGatewayError.__subclasses__() if cls.reason} == names


@pytest.mark.parametrize(
    ("call", "error", "metadata"),
    [
        ({"messages": "x", "model": "nobody"}, modelgateway.ModelNotFound, {"model": "nobody"}),
        ({"messages": []}, modelgateway.InvalidRequest, {}),
        ({"messages": "x", "model": "big"}, modelgateway.ModelExceedsBudget, {"model": "big"}),
        ({"messages": "x", "model": "lost"}, modelgateway.ModelFileMissing, {"model": "lost"}),
        (
            {"messages": 'fault: {"fault": "stall"}', "model": "tutor", "timeout": 0.5},
            modelgateway.DeadlineExceeded,
            {},
        ),
    ],
)
def test_errors_of_the_server(
    client: modelgateway.Client,
    call: dict[str, Any],
    error: type[modelgateway.ModelGatewayError],
    metadata: dict[str, str],
) -> None:
    with pytest.raises(error) as raised:
        client.chat(**call)
    assert raised.value.reason == error.reason
    assert raised.value.message and raised.value.reason in str(raised.value)
    assert metadata.items() <= raised.value.metadata.items()


def test_a_crash_is_retried_once(client: modelgateway.Client) -> None:
    with pytest.raises(modelgateway.EngineCrashed):
        client.chat("x", model="crasher")
    assert client.get_model("crasher").load_count == 2


def test_task_unknown(client: modelgateway.Client) -> None:
    with pytest.raises(modelgateway.TaskUnknown):
        client.execute_task("sing", {"text": "la"})


def test_no_server() -> None:
    with modelgateway.Client("127.0.0.1:1") as client, pytest.raises(modelgateway.ServerUnreachable) as raised:
        client.status(timeout=5)
    assert isinstance(raised.value, ConnectionError) and raised.value.reason == ""
    assert "MODELGATEWAY_ADDR" in raised.value.message


def failing(reason: str, after: int = 0) -> str:
    return (
        f'fault: {{"fault": "error", "error_reason": "{reason}", "error_retry_ms": 20, "fault_after_tokens": {after}}}'
    )


def count(client: modelgateway.Client) -> int:
    """Returns the number of requests that ended. Only these tests use this model."""
    return client.get_model("counted").request_count


def test_retries_follow_the_advice_up_to_the_limit(client: modelgateway.Client) -> None:
    before = count(client)
    with pytest.raises(modelgateway.MemoryBusy) as raised:
        client.chat(failing("MEMORY_BUSY"), model="counted")
    assert raised.value.retry_after == pytest.approx(0.02)
    assert count(client) - before == 3


def test_a_stream_is_retried_before_its_first_piece(client: modelgateway.Client) -> None:
    before = count(client)
    with pytest.raises(modelgateway.QueueFull):
        list(client.stream_chat(failing("QUEUE_FULL"), model="counted"))
    assert count(client) - before == 3


def test_nothing_is_retried_after_output(client: modelgateway.Client) -> None:
    before = count(client)
    stream = client.stream_chat(failing("MEMORY_BUSY", after=2), model="counted")
    with pytest.raises(modelgateway.MemoryBusy):
        for _ in stream:
            pass
    assert stream.text
    assert count(client) - before == 1


def test_permanent_errors_are_not_retried(client: modelgateway.Client) -> None:
    before = count(client)
    message = 'fault: {"fault": "error", "error_reason": "INVALID_REQUEST"}'
    with pytest.raises(modelgateway.InvalidRequest):
        client.chat(message, model="counted")
    assert count(client) - before == 1


class Flaky(service_pb2_grpc.ModelGatewayServiceServicer):
    """Fails a given number of times, then answers."""

    def __init__(self) -> None:
        self.failures = 0
        self.delay = 0.01
        self.calls: list[dict[str, str]] = []

    def Chat(self, request: chat_pb2.ChatRequest, context: grpc.ServicerContext) -> chat_pb2.ChatResponse:  # noqa: N802
        self.calls.append(dict(context.invocation_metadata()))
        if len(self.calls) > self.failures:
            return chat_pb2.ChatResponse(message=chat_pb2.ChatMessage(content="at last"))
        status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="not now")
        info = error_details_pb2.ErrorInfo(reason="LOAD_COOLDOWN", domain="modelgateway", metadata={"model": "m"})
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(self.delay * 1000))
        for detail in (info, retry):
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNAVAILABLE, status.message)


@pytest.fixture
def flaky() -> Iterator[tuple[Flaky, str]]:
    servicer = Flaky()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    service_pb2_grpc.add_ModelGatewayServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_a_call_succeeds_after_the_advised_wait(flaky: tuple[Flaky, str]) -> None:
    servicer, address = flaky
    servicer.failures, servicer.delay = 2, 0.2
    began = time.monotonic()
    with modelgateway.Client(address, api_key="secret", metadata=[("x-tenant", "7")]) as client:
        assert client.chat("x").message.content == "at last"
    assert time.monotonic() - began >= 0.4
    assert [call["authorization"] for call in servicer.calls] == ["Bearer secret"] * 3
    assert servicer.calls[0]["x-tenant"] == "7"


@pytest.mark.parametrize(
    ("retry", "timeout"),
    [
        (modelgateway.Retry(attempts=1), math.inf),
        (modelgateway.Retry(max_wait=5), math.inf),  # the advised wait is longer
        (modelgateway.Retry(), 9.0),  # and longer than the deadline
    ],
)
def test_no_retry_if_the_wait_does_not_fit(
    flaky: tuple[Flaky, str], retry: modelgateway.Retry, timeout: float
) -> None:
    servicer, address = flaky
    servicer.failures, servicer.delay = 1, 10.0
    with modelgateway.Client(address, retry=retry) as client, pytest.raises(modelgateway.LoadCooldown) as raised:
        client.chat("x", timeout=timeout)
    assert raised.value.retry_after == 10 and raised.value.metadata == {"model": "m"}
    assert len(servicer.calls) == 1
