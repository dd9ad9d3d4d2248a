"""Base class of the blocking client: the connection, and the calls for the server and its models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc

from modelgateway.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, model_pb2, service_pb2_grpc, status_pb2, synthesis_pb2

from . import _calls, _requests
from ._calls import Retry
from ._requests import Priority
from ._sync import Caller

Self = TypeVar("Self", bound="Connection")


class Connection:
    """A connection to a server, with the calls for the server and its models."""

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout: float = _calls.INFERENCE_TIMEOUT,
        tls: bool | grpc.ChannelCredentials = False,
        api_key: str | None = None,
        metadata: Sequence[tuple[str, str]] = (),
        retry: Retry = Retry(),
    ) -> None:
        """Creates a client. It connects at the first call.

        address: "host:port" or "unix:/path"; default $MODELGATEWAY_ADDR, or 127.0.0.1:50051.
        timeout: default timeout of inference calls in seconds, including the load of the model.
        tls: True, or credentials, if the server, or a proxy in front of it, uses TLS.
        api_key: sent as "authorization: Bearer …"; default $MODELGATEWAY_API_KEY.
        metadata: gRPC metadata for every call.
        retry: when failed calls are retried.
        """
        self.address = _calls.resolve_address(address)
        self._timeout = timeout
        credentials = _calls.channel_credentials(tls)
        options = _calls.channel_options()
        self._channel = (
            grpc.secure_channel(self.address, credentials, options)
            if credentials
            else grpc.insecure_channel(self.address, options)
        )
        self._caller = Caller(retry, _calls.call_metadata(api_key, metadata))
        #: The generated stubs, for calls without a method in this class.
        self.models = service_pb2_grpc.ModelGatewayServiceStub(self._channel)
        self.admin = admin_pb2_grpc.ModelAdminServiceStub(self._channel)

    def close(self) -> None:
        """Closes the connection and cancels its calls."""
        self._channel.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def conversation(self: Self, id: str) -> Self:
        """Returns a client for the calls of one conversation, on the same connection.

        id is any text. A proxy in front of several servers can send these calls to the same one, which has
        computed the beginning of the conversation already: they have the header mg-affinity, a hash of the id.
        """
        bound = copy.copy(self)
        bound._caller = self._caller.of(id)
        return bound

    def _ask(self, method: Any, request: Any, timeout: float | None, default: float | None = None) -> Any:
        limit = timeout if timeout is not None else default if default is not None else self._timeout
        return self._caller.unary(method, lambda: request, limit)

    def _follow(self, method: Any, request: Any, timeout: float | None) -> Generator[Any, None, None]:
        return self._caller.stream(method, lambda: request, self._timeout if timeout is None else timeout)

    def status(self, *, timeout: float | None = None) -> status_pb2.StatusResponse:
        """Returns the state of the server and its models."""
        answer: status_pb2.StatusResponse = self._ask(
            self.models.Status, status_pb2.StatusRequest(), timeout, _calls.ADMIN_TIMEOUT
        )
        return answer

    def create_access_token(
        self,
        *,
        subject: str = "",
        lifetime: float = 600,
        tasks: Sequence[str] = (),
        models: Sequence[str] = (),
        max_priority: Priority | None = None,
        cloud: bool = False,
        timeout: float | None = None,
    ) -> auth_pb2.CreateAccessTokenResponse:
        """Makes an access token from the client's API key, for an app that calls the server itself.

        lifetime is in seconds. Everything else restricts what the key allows; empty: not.
        """
        request = _requests.access_token(subject, lifetime, tasks, models, max_priority, cloud)
        answer: auth_pb2.CreateAccessTokenResponse = self._ask(
            self.models.CreateAccessToken, request, timeout, _calls.ADMIN_TIMEOUT
        )
        return answer

    def list_voices(self, *, timeout: float | None = None) -> list[synthesis_pb2.Voice]:
        """Returns the voices that may speak; the first one does if a request names none."""
        answer = self._ask(
            self.models.ListVoices, synthesis_pb2.ListVoicesRequest(), timeout, _calls.ADMIN_TIMEOUT
        )
        return list(answer.voices)

    def list_models(self, *, timeout: float | None = None) -> list[model_pb2.Model]:
        """Returns all models, in the order of the configuration."""
        answer = self._ask(self.admin.ListModels, admin_pb2.ListModelsRequest(), timeout, _calls.ADMIN_TIMEOUT)
        return list(answer.models)

    def get_model(self, name: str, *, timeout: float | None = None) -> model_pb2.Model:
        """Returns one model."""
        answer = self._ask(self.admin.GetModel, admin_pb2.GetModelRequest(name=name), timeout, _calls.ADMIN_TIMEOUT)
        model: model_pb2.Model = answer.model
        return model

    def load_model(
        self,
        name: str,
        *,
        pin: bool = False,
        priority: Priority | None = None,
        progress: Callable[[admin_pb2.LoadModelResponse], None] | None = None,
        timeout: float | None = None,
    ) -> model_pb2.Model:
        """Loads a model before its first request and returns it.

        pin keeps the model loaded until unload_model. progress is called with each progress report.
        """
        request = admin_pb2.LoadModelRequest(name=name, pin=pin, priority=_requests.priority(priority))
        last = admin_pb2.LoadModelResponse()
        limit = _calls.LOAD_TIMEOUT if timeout is None else timeout
        for last in self._follow(self.admin.LoadModel, request, limit):
            if progress is not None:
                progress(last)
        return last.model

    def unload_model(self, name: str, *, timeout: float | None = None) -> admin_pb2.UnloadModelResponse:
        """Unpins a model and unloads it after its current requests."""
        request = admin_pb2.UnloadModelRequest(name=name)
        answer: admin_pb2.UnloadModelResponse = self._ask(self.admin.UnloadModel, request, timeout)
        return answer

    def plan_load(
        self, name: str, *, priority: Priority | None = None, timeout: float | None = None
    ) -> admin_pb2.PlanLoadResponse:
        """Reports whether a model would fit now, and which models would be evicted for it. Changes nothing."""
        request = admin_pb2.PlanLoadRequest(name=name, priority=_requests.priority(priority))
        answer: admin_pb2.PlanLoadResponse = self._ask(self.admin.PlanLoad, request, timeout, _calls.ADMIN_TIMEOUT)
        return answer

    def watch_models(
        self, name: str = "", *, timeout: float = float("inf")
    ) -> Generator[admin_pb2.WatchModelsResponse, None, None]:
        """Yields state changes of the models, starting with their current states, until it is closed."""
        return self._follow(self.admin.WatchModels, admin_pb2.WatchModelsRequest(name=name), timeout)
