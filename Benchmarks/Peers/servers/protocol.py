"""One JSON object a line in, one out: how the driver talks to every side of the comparison."""

import json
import sys
import time

import numpy as np


class Unsupported(Exception):
    """The peer has no such path."""


class Problem:
    """One decode step of attention over rows from files (formats: attend-server's)."""

    def __init__(self, request):
        self.request = request
        folder = request["folder"]
        self.sequences = request["sequences"]
        self.streams = request["streams"]
        self.heads = request["queryHeads"]
        self.tokens = request["tokens"]
        self.key_width = request["keyWidth"]
        self.value_width = request["valueWidth"]
        self.is_latent = request["valueIsKeyPrefix"]
        self.scale = request["headWidth"] ** -0.5
        rows = (self.sequences, self.streams, self.tokens)
        self.keys = np.memmap(f"{folder}/keys.f16", np.float16, "r", shape=(*rows, self.key_width))
        if self.is_latent:
            self.values = self.keys[..., : self.value_width]
        else:
            self.values = np.memmap(
                f"{folder}/values.f16", np.float16, "r", shape=(*rows, self.value_width)
            )
        self.queries = np.fromfile(f"{folder}/queries.f32", np.float32).reshape(
            self.sequences, self.heads, self.key_width
        )


def serve(make):
    """Answers requests until the input ends. `make(request)` gives an object with `run()` (seconds
    are measured around it) and `output()` ([sequence][query head][value width], float32)."""
    problem = None
    for line in sys.stdin:
        request = json.loads(line)
        reply = {}
        try:
            operation = request["operation"]
            if operation in ("attention", "step"):
                problem = None
                problem = make(request)
            elif operation == "fill":
                problem.fill(request["tokens"])
            elif operation == "run":
                problem.prepare()
                begin = time.perf_counter_ns()
                problem.run()
                reply["nanoseconds"] = time.perf_counter_ns() - begin
            elif operation == "output":
                np.ascontiguousarray(problem.output(), np.float32).tofile(request["path"])
            elif operation == "versions":
                reply["versions"] = make(None)
        except Unsupported as error:
            reply["unsupported"] = str(error)
        except Exception as error:  # the driver prints it and goes on
            reply["error"] = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
