"""Whole decode steps of llama.cpp on a GGUF of random weights."""

import ctypes
import os

import gguf
import llama_cpp
import numpy as np
from protocol import serve

# Llama-3.2-1B.
LAYERS, HIDDEN, HEADS, KV_HEADS, WIDTH, MLP, VOCABULARY = 16, 2048, 32, 8, 64, 8192, 128_256


def write_model(path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(131_072)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("none")
    random = np.random.default_rng(1)

    def weight(name, outputs, inputs):
        values = random.standard_normal((outputs, inputs), np.float32) * inputs**-0.5
        writer.add_tensor(name, values.astype(np.float16))

    weight("token_embd.weight", VOCABULARY, HIDDEN)
    ones = np.ones(HIDDEN, np.float32)
    writer.add_tensor("output_norm.weight", ones)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", ones)
        writer.add_tensor(block + "ffn_norm.weight", ones)
        weight(block + "attn_q.weight", HEADS * WIDTH, HIDDEN)
        weight(block + "attn_k.weight", KV_HEADS * WIDTH, HIDDEN)
        weight(block + "attn_v.weight", KV_HEADS * WIDTH, HIDDEN)
        weight(block + "attn_output.weight", HIDDEN, HEADS * WIDTH)
        weight(block + "ffn_gate.weight", MLP, HIDDEN)
        weight(block + "ffn_up.weight", MLP, HIDDEN)
        weight(block + "ffn_down.weight", HIDDEN, MLP)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def quiet(level, text, data):
    del level, text, data


def run_on(processors):
    """Lets every thread of this process run on these processors only."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), processors)


class LlamaStep:
    def __init__(self, request):
        path = os.path.join(request["folder"], "llama-3.2-1b-random.gguf")
        if not os.path.exists(path):
            write_model(path + ".part")
            os.rename(path + ".part", path)
        llama_cpp.llama_log_set(quiet, None)
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = request["tokens"]
        params.n_batch = params.n_ubatch = 512
        params.n_threads = request["threads"]
        params.n_threads_batch = request.get("fillThreads") or request["threads"]
        on = request["path"] == "fused"
        if hasattr(params, "flash_attn_type"):
            params.flash_attn_type = 1 if on else 0
        else:
            params.flash_attn = on
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError("llama_init_from_model failed")
        self.length = 0
        self.fills_elsewhere = params.n_threads_batch > params.n_threads

    def decode(self, tokens, logits):
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = self.length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = logits and i == len(tokens) - 1
        status = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode: {status}")

    def fill(self, tokens):
        self.prepare()
        random = np.random.default_rng(2)
        measured_on = os.sched_getaffinity(0)
        if self.fills_elsewhere:
            run_on(range(os.cpu_count()))
        while self.length < tokens:
            count = min(512, tokens - self.length)
            self.decode(random.integers(0, VOCABULARY, count).tolist(), False)
            self.length += count
        run_on(measured_on)

    def prepare(self):
        # Takes the last run's token back.
        memory = llama_cpp.llama_get_memory(self.context)
        llama_cpp.llama_memory_seq_rm(memory, 0, self.length, -1)

    def run(self):
        self.decode([1], True)
        llama_cpp.llama_get_logits(self.context)


def make(request):
    if request is None:
        return {"llama-cpp-python": llama_cpp.__version__, "gguf": "see requirements.txt"}
    return LlamaStep(request)


if __name__ == "__main__":
    serve(make)
