"""ONNX Runtime's GroupQueryAttention, with past and present in one buffer."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from protocol import Problem, Unsupported, serve

TYPES = {"f32": (TensorProto.FLOAT, np.float32), "f16": (TensorProto.FLOAT16, np.float16)}


class ONNXAttention(Problem):
    def __init__(self, request):
        super().__init__(request)
        if self.is_latent:
            raise Unsupported("GroupQueryAttention has one width for keys and values")
        code, kind = TYPES[request["element"]]
        batch, heads, streams, width = self.sequences, self.heads, self.streams, self.key_width
        cache = [batch, streams, self.tokens, width]

        def info(name, shape, code=code):
            return helper.make_tensor_value_info(name, code, shape)

        names = ["query", "key", "value", "past_key", "past_value", "lengths", "total"]
        node = helper.make_node(
            "GroupQueryAttention", names, ["output", "present_key", "present_value"],
            domain="com.microsoft", num_heads=heads, kv_num_heads=streams, scale=self.scale,
        )
        graph = helper.make_graph(
            [node], "attention",
            [
                info("query", [batch, 1, heads * width]), info("key", [batch, 1, streams * width]),
                info("value", [batch, 1, streams * width]), info("past_key", cache),
                info("past_value", cache), info("lengths", [batch], TensorProto.INT32),
                info("total", [], TensorProto.INT32),
            ],
            [
                info("output", [batch, 1, heads * width]), info("present_key", cache),
                info("present_value", cache),
            ],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

        def value(array):
            return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))

        # The last token's row is given as new and written over itself.
        fixed = {
            "query": value(self.queries.reshape(batch, 1, -1).astype(kind)),
            "key": value(self.keys[:, :, -1].reshape(batch, 1, -1).astype(kind)),
            "value": value(self.values[:, :, -1].reshape(batch, 1, -1).astype(kind)),
            "lengths": value(np.full(batch, self.tokens - 1, np.int32)),
            "total": value(np.array(self.tokens, np.int32)),
        }
        self.result = value(np.zeros((batch, 1, heads * width), kind))
        self.bindings = []
        for _ in range(request["copies"]):
            binding = self.session.io_binding()
            for name, item in fixed.items():
                binding.bind_ortvalue_input(name, item)
            for side, rows in (("key", self.keys), ("value", self.values)):
                item = value(np.asarray(rows, kind))
                binding.bind_ortvalue_input(f"past_{side}", item)
                binding.bind_ortvalue_output(f"present_{side}", item)
            binding.bind_ortvalue_output("output", self.result)
            self.bindings.append(binding)
        self.turn = 0

    def prepare(self):
        self.turn = (self.turn + 1) % len(self.bindings)

    def run(self):
        self.session.run_with_iobinding(self.bindings[self.turn])

    def output(self):
        return self.result.numpy().astype(np.float32)


def make(request):
    if request is None:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
    return ONNXAttention(request)


if __name__ == "__main__":
    serve(make)
