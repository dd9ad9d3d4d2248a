"""Serves an engine written in Python to a ModelGateway server.

An engine is a subclass of Engine whose load returns a Model; what the model can
do is told by the methods that it has. The whole program:

    class Echo(engine.Engine):
        name, version, tasks = "echo", "1.0.0", ("chat",)

        def load(self, options):
            return EchoModel()

    class EchoModel(engine.Model):
        def chat(self, request, call):
            call.count()
            yield request.messages[-1].content
            yield engine.finish(prompt_tokens=1, completion_tokens=1)

    engine.serve(Echo())

The gateway starts one process of the program for each loaded model.
"""

from ._interface import TASKS, Call, Engine, LoadOptions, Model, finish
from ._serve import serve

__all__ = ["TASKS", "Call", "Engine", "LoadOptions", "Model", "finish", "serve"]
