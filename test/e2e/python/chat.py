"""Calls a running server with the generated Python code.

Usage: PYTHONPATH=gen/python python3 chat.py ADDRESS TEXT
Prints one JSON object: the whole answer, the streamed answer, and which model answered.
"""

import json
import sys

import grpc
from modelgateway.v1 import chat_pb2, common_pb2, service_pb2_grpc

address, text = sys.argv[1:]
messages = [chat_pb2.ChatMessage(role=chat_pb2.ROLE_USER, content=text)]
sampling = common_pb2.SamplingOptions(temperature=0, max_tokens=16)

with grpc.insecure_channel(address) as channel:
    client = service_pb2_grpc.ModelGatewayServiceStub(channel)
    whole = client.Chat(chat_pb2.ChatRequest(messages=messages, sampling=sampling), timeout=60)
    pieces = list(
        client.StreamChat(chat_pb2.StreamChatRequest(messages=messages, sampling=sampling), timeout=60)
    )
    missing = ""
    try:
        client.Chat(chat_pb2.ChatRequest(messages=messages, model="nobody"), timeout=60)
    except grpc.RpcError as error:
        missing = f"{error.code().name}: {error.details()}"

print(
    json.dumps(
        {
            "whole": whole.message.content,
            "streamed": "".join(piece.delta for piece in pieces),
            "pieces": len(pieces),
            "servedBy": pieces[-1].served_by.model,
            "engine": whole.served_by.engine,
            "missing": missing,
        }
    )
)
