"""SDK for engines of a ModelGateway server that are written in Python.

An engine is a subclass of Engine whose load returns a Model. The model supports
the tasks that it has methods for. A complete program:

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

The server starts one process of the program for each loaded model.
"""

from ._interface import TASKS, Call, Engine, LoadOptions, Model, finish
from ._serve import serve

__all__ = ["TASKS", "Call", "Engine", "LoadOptions", "Model", "finish", "serve"]
