"""ggml's decode attention, through the libraries that llama-cpp-python carries: the fused operation
and the unfused pair of products with softmax between (llama.cpp without `-fa`)."""

import ctypes
import glob
import importlib.util
import os
import sys

import numpy as np
from protocol import Problem, Unsupported, serve

F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8
TYPES = {"f32": F32, "f16": F16, "q8_0": Q8_0, "q4_0": Q4_0}


class InitParams(ctypes.Structure):
    _fields_ = [
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    ]


class ThreadpoolParams(ctypes.Structure):
    _fields_ = [
        ("cpumask", ctypes.c_bool * 512),
        ("n_threads", ctypes.c_int),
        ("prio", ctypes.c_int),
        ("poll", ctypes.c_uint32),
        ("strict_cpu", ctypes.c_bool),
        ("paused", ctypes.c_bool),
    ]


class Plan(ctypes.Structure):
    # Fields behind these differ from version to version; the padding has room for them.
    _fields_ = [
        ("work_size", ctypes.c_size_t),
        ("work_data", ctypes.c_void_p),
        ("n_threads", ctypes.c_int),
        ("threadpool", ctypes.c_void_p),
        ("padding", ctypes.c_uint8 * 64),
    ]


def load():
    folder = os.path.join(
        os.path.dirname(importlib.util.find_spec("llama_cpp").origin), "lib"
    )
    libraries = [
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        for name in ("libggml-base", "libggml-cpu", "libggml")
        for path in sorted(glob.glob(os.path.join(folder, name + ".so*")))[:1]
    ]

    def find(name, result, *arguments):
        for library in libraries:
            if hasattr(library, name):
                function = getattr(library, name)
                function.restype = result
                function.argtypes = arguments
                return function
        raise Unsupported(f"{name} is not exported")

    return find


POINTER = ctypes.c_void_p
INT64 = ctypes.c_int64
FLOAT = ctypes.c_float


class GGML:
    def __init__(self):
        find = load()
        self.init = find("ggml_init", POINTER, InitParams)
        self.free = find("ggml_free", None, POINTER)
        self.tensor = find("ggml_new_tensor_4d", POINTER, POINTER, ctypes.c_int, *[INT64] * 4)
        self.view = find(
            "ggml_view_4d", POINTER, POINTER, POINTER, *[INT64] * 4, *[ctypes.c_size_t] * 4
        )
        self.data = find("ggml_get_data", POINTER, POINTER)
        self.row_size = find("ggml_row_size", ctypes.c_size_t, ctypes.c_int, INT64)
        self.flash = find(
            "ggml_flash_attn_ext", POINTER, *[POINTER] * 5, FLOAT, FLOAT, FLOAT
        )
        self.product = find("ggml_mul_mat", POINTER, POINTER, POINTER, POINTER)
        self.softmax = find("ggml_soft_max_ext", POINTER, POINTER, POINTER, POINTER, FLOAT, FLOAT)
        self.graph = find("ggml_new_graph", POINTER, POINTER)
        self.expand = find("ggml_build_forward_expand", None, POINTER, POINTER)
        self.plan = find("ggml_graph_plan", Plan, POINTER, ctypes.c_int, POINTER)
        self.compute = find("ggml_graph_compute", ctypes.c_int, POINTER, ctypes.POINTER(Plan))
        self.pool_new = find(
            "ggml_threadpool_new", POINTER, ctypes.POINTER(ThreadpoolParams)
        )
        self.pool_defaults = find(
            "ggml_threadpool_params_default", ThreadpoolParams, ctypes.c_int
        )
        self.quantize = find(
            "ggml_quantize_chunk", ctypes.c_size_t, ctypes.c_int, POINTER, POINTER, INT64, INT64,
            INT64, POINTER,
        )
        find("ggml_cpu_init", None)()


class GGMLAttention(Problem):
    pool = None

    def __init__(self, request):
        super().__init__(request)
        g = self.g = GGML()
        self.fused = request["path"] == "fused"
        kind = TYPES[request["element"]]
        if not self.fused and kind not in (F16, F32):
            raise Unsupported("quantised values exist in the fused operation only")
        copies = request["copies"]
        key_bytes = g.row_size(kind, self.key_width) * self.tokens * self.streams * self.sequences
        size = (
            copies * 2 * key_bytes + copies * (64 << 20) + (256 << 20)
            + self.queries.nbytes * 64 + copies * self.tokens * self.heads * self.sequences * 8
        )
        self.context = g.init(InitParams(size, None, False))
        if GGMLAttention.pool is None:
            params = g.pool_defaults(request["threads"])
            GGMLAttention.pool = g.pool_new(ctypes.byref(params))
        self.graphs = [self.build(kind) for _ in range(copies)]
        plans = [g.plan(graph, request["threads"], self.pool) for graph, _ in self.graphs]
        self.work = (ctypes.c_uint8 * (max(plan.work_size for plan in plans) + 64))()
        for plan in plans:
            plan.work_data = ctypes.addressof(self.work)
        self.plans = plans
        self.turn = 0

    def store(self, kind, rows, shape):
        """A tensor of `shape` (fastest first) with `rows` in it."""
        tensor = self.g.tensor(self.context, kind, *shape)
        target = self.g.data(tensor)
        flat = np.ascontiguousarray(rows)
        if kind == F16:
            ctypes.memmove(target, flat.ctypes.data, flat.nbytes)
        elif kind == F32:
            flat = flat.astype(np.float32)
            ctypes.memmove(target, flat.ctypes.data, flat.nbytes)
        else:
            flat = flat.astype(np.float32)
            count = flat.size // shape[0]
            self.g.quantize(kind, flat.ctypes.data, target, 0, count, shape[0], None)
        return tensor

    def build(self, kind):
        g, context = self.g, self.context
        width, tokens, streams, sequences = (
            self.key_width, self.tokens, self.streams, self.sequences,
        )
        query = self.store(F32, self.queries, (width, 1, self.heads, sequences))
        key = self.store(kind, self.keys, (width, tokens, streams, sequences))
        if self.fused:
            if self.is_latent:
                row = g.row_size(kind, width)
                value = g.view(
                    context, key, self.value_width, tokens, streams, sequences, row, row * tokens,
                    row * tokens * streams, 0,
                )
            else:
                value = self.store(kind, self.values, (self.value_width, tokens, streams, sequences))
            result = g.flash(context, query, key, value, None, self.scale, 0.0, 0.0)
        else:
            turned = np.swapaxes(self.values, 2, 3)
            value = self.store(kind, turned, (tokens, self.value_width, streams, sequences))
            scores = g.product(context, key, query)
            weights = g.softmax(context, scores, None, self.scale, 0.0)
            result = g.product(context, value, weights)
        graph = g.graph(context)
        g.expand(graph, result)
        return graph, result

    def prepare(self):
        self.turn = (self.turn + 1) % len(self.graphs)

    def run(self):
        status = self.g.compute(self.graphs[self.turn][0], ctypes.byref(self.plans[self.turn]))
        if status != 0:
            raise RuntimeError(f"ggml_graph_compute: {status}")

    def output(self):
        # Both results lie as [sequence][query head][value width] for one query token.
        count = self.sequences * self.heads * self.value_width
        data = (ctypes.c_float * count).from_address(self.g.data(self.graphs[self.turn][1]))
        return np.array(data, np.float32)

    def __del__(self):
        if getattr(self, "context", None):
            self.g.free(self.context)


def make(request):
    if request is None:
        import llama_cpp

        return {"llama-cpp-python": llama_cpp.__version__}
    return GGMLAttention(request)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    serve(make)
