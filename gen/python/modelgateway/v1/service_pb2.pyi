from modelgateway.v1 import auth_pb2 as _auth_pb2
from modelgateway.v1 import chat_pb2 as _chat_pb2
from modelgateway.v1 import pronunciation_pb2 as _pronunciation_pb2
from modelgateway.v1 import status_pb2 as _status_pb2
from modelgateway.v1 import synthesis_pb2 as _synthesis_pb2
from modelgateway.v1 import task_pb2 as _task_pb2
from modelgateway.v1 import transcription_pb2 as _transcription_pb2
from modelgateway.v1 import tutor_pb2 as _tutor_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
