"""The configurations of the fixtures, and random ones."""

import math
from dataclasses import dataclass

import torch
from transformers import (
    DeepseekV2Config, DeepseekV3Config, Gemma2Config, Gemma3TextConfig, GptOssConfig, LlamaConfig,
    MistralConfig, MixtralConfig, Qwen2Config, Qwen2MoeConfig, Qwen3Config, Qwen3MoeConfig)

VOCABULARY = 61


@dataclass
class Case:
    """A configuration and how its weights are stored."""
    name: str
    config: object
    dtype: torch.dtype = torch.float32
    shard: str = "5GB"
    fp8_block: tuple = None
    mxfp4: bool = False
    seed: int = 1
    prefill: int = 11
    steps: int = 64
    # Written with the keys of older files: rope_theta, rope_scaling, sliding_window_pattern.
    older: bool = False


def shape(hidden=36, heads=3, kv=1, head=16, mlp=40, layers=3, **more):
    """Sizes that every configuration has; head width times heads is not the hidden width."""
    return dict(
        vocab_size=VOCABULARY, hidden_size=hidden, num_attention_heads=heads,
        num_key_value_heads=kv, head_dim=head, intermediate_size=mlp, num_hidden_layers=layers,
        max_position_embeddings=256, pad_token_id=None, bos_token_id=None, eos_token_id=None,
        **more)


def latent(hidden=36, heads=3, mlp=40, layers=3, rank=16, rope=8, nope=12, value=10, **more):
    sizes = shape(hidden, heads, heads, 8, mlp, layers, **more)
    del sizes["head_dim"]
    return dict(sizes, kv_lora_rank=rank, qk_rope_head_dim=rope, qk_nope_head_dim=nope,
                v_head_dim=value)


LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32, rope_theta=10000.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16,
            rope_theta=10000.0)


def listed(layers, windows):
    return ["sliding_attention" if i in windows else "full_attention" for i in range(layers)]


def fixtures():
    bf16, f16 = torch.bfloat16, torch.float16
    small = dict(max_position_embeddings=32)
    cases = [
        Case("llama", LlamaConfig(**shape(heads=5, kv=5, head=8, hidden=35)), bf16),
        Case("llama-biases-tied-llama3", LlamaConfig(
            **shape(heads=6, kv=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
            rope_parameters=LLAMA3), f16),
        Case("llama-linear-shards", LlamaConfig(
            **shape(kv=3), rope_parameters=dict(
                rope_type="linear", factor=3.0, rope_theta=5000.0)), bf16, shard="12KB"),
        Case("llama-dynamic", LlamaConfig(
            **(shape() | small),
            rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=10000.0))),
        Case("llama-yarn", LlamaConfig(**shape(), rope_parameters=YARN), bf16),
        Case("mistral-window", MistralConfig(**shape(heads=4, kv=2, sliding_window=16)), bf16),
        Case("qwen2-late-windows", Qwen2Config(**shape(
            heads=6, kv=3, head=6, layers=4, use_sliding_window=True, sliding_window=13,
            max_window_layers=2)), bf16),
        Case("qwen3-yarn", Qwen3Config(
            **shape(heads=3, kv=1, head=24, tie_word_embeddings=True),
            rope_parameters=YARN | dict(attention_factor=1.3, beta_fast=8.0, beta_slow=2.0)),
            bf16),
        Case("gemma2", Gemma2Config(**shape(
            heads=4, kv=2, head=12, layers=3, sliding_window=9, query_pre_attn_scalar=20)), bf16),
        Case("gemma3", Gemma3TextConfig(
            **shape(heads=3, kv=1, head=20, layers=7, sliding_window=12,
                    query_pre_attn_scalar=24),
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6),
                sliding_attention=dict(rope_type="default", rope_theta=1e4))), bf16),
        Case("mixtral", MixtralConfig(**shape(
            heads=4, kv=2, mlp=24, num_local_experts=5, num_experts_per_tok=2,
            sliding_window=16)), bf16),
        Case("qwen2-moe", Qwen2MoeConfig(**shape(
            hidden=40, heads=5, kv=5, head=8, num_experts=6, num_experts_per_tok=3,
            moe_intermediate_size=12, shared_expert_intermediate_size=20,
            mlp_only_layers=[1])), bf16),
        Case("qwen3-moe", Qwen3MoeConfig(**shape(
            heads=4, kv=2, head=10, num_experts=7, num_experts_per_tok=2,
            moe_intermediate_size=14, norm_topk_prob=True, decoder_sparse_step=2, layers=4)),
            bf16),
        Case("deepseek-v2", DeepseekV2Config(
            **latent(q_lora_rank=None, first_k_dense_replace=1, n_routed_experts=6, n_group=3,
                     topk_group=2, topk_method="group_limited_greedy", num_experts_per_tok=3,
                     moe_intermediate_size=12, n_shared_experts=2, routed_scaling_factor=1.5)),
            bf16),
        Case("deepseek-v3", DeepseekV3Config(
            **latent(hidden=40, heads=5, q_lora_rank=20, first_k_dense_replace=1,
                     n_routed_experts=8, n_group=4, topk_group=2, num_experts_per_tok=3,
                     moe_intermediate_size=12, n_shared_experts=1, routed_scaling_factor=2.5,
                     attention_bias=True),
            rope_parameters=YARN | dict(mscale=1.0, mscale_all_dim=0.7)), bf16),
        Case("deepseek-v3-dense-half-split", DeepseekV3Config(
            **latent(q_lora_rank=None, first_k_dense_replace=3, n_routed_experts=8,
                     rope_interleave=False)), bf16),
        Case("deepseek-v3-fp8", DeepseekV3Config(
            **latent(q_lora_rank=20, first_k_dense_replace=1, n_routed_experts=4, n_group=1,
                     topk_group=1, num_experts_per_tok=2, moe_intermediate_size=20,
                     n_shared_experts=1, layers=2)), bf16, fp8_block=(16, 16)),
        Case("gpt-oss", GptOssConfig(
            **shape(heads=6, kv=2, head=8, mlp=24, layers=4, sliding_window=16,
                    num_local_experts=5, num_experts_per_tok=2),
            rope_parameters=YARN | dict(truncate=False, rope_theta=150000.0)), bf16),
        Case("gpt-oss-mxfp4", GptOssConfig(
            **shape(hidden=32, heads=3, kv=1, head=12, mlp=32, layers=2, sliding_window=10,
                    num_local_experts=3, num_experts_per_tok=2)), bf16, mxfp4=True),
    ]
    for index, case in enumerate(cases):
        case.seed = 100 + index
    return cases


def random_rope(rng, positions, dynamic=True):
    """RoPE of a random type; scaled ones are for contexts beyond 8 to 40 positions."""
    theta = float(rng.choice([1000, 10000, 500000]))
    kinds = ["default", "linear", "llama3", "yarn"] + (["dynamic"] if dynamic else [])
    kind = rng.choice(kinds)
    rope = dict(rope_type=kind, rope_theta=theta)
    if kind == "default":
        return rope
    rope["factor"] = round(rng.uniform(1.5, 16), 2)
    if kind == "llama3":
        rope |= dict(low_freq_factor=1.0, high_freq_factor=float(rng.choice([2, 4])),
                     original_max_position_embeddings=rng.randint(8, 40))
    if kind == "yarn":
        rope["original_max_position_embeddings"] = rng.randint(8, 40)
        if rng.random() < 0.3:
            rope["attention_factor"] = round(rng.uniform(0.7, 1.5), 2)
        if rng.random() < 0.5:
            rope |= dict(beta_fast=float(rng.choice([4, 16, 32])), beta_slow=1.0)
        if rng.random() < 0.5:
            rope["truncate"] = rng.random() < 0.5
        if rng.random() < 0.5:
            rope |= dict(mscale=round(rng.uniform(0.5, 1.2), 2),
                         mscale_all_dim=round(rng.uniform(0.5, 1.2), 2))
    return rope


KINDS = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "mixtral", "qwen2_moe",
         "qwen3_moe", "deepseek_v2", "deepseek_v3", "deepseek_v3_fp8", "gpt_oss",
         "gpt_oss_mxfp4"]


def random_case(rng, kind):
    """A configuration of an architecture with random sizes, layers, windows, RoPE and experts."""
    kv = rng.choice([1, 1, 2, 3, 5])
    heads = kv * rng.choice([1, 2, 3, 5])
    layers = rng.randint(2, 7)
    unit = 32 if kind == "gpt_oss_mxfp4" else 1
    # Some configuration classes want the hidden width to be a multiple of the heads.
    hidden = heads * rng.randint(math.ceil(24 / heads), math.ceil(72 / heads))
    hidden = math.ceil(hidden / unit) * unit if unit > 1 else hidden
    mlp = rng.randint(12, 80) if unit == 1 else 32 * rng.randint(1, 2)
    head = 2 * rng.randint(2, 16)
    # At a width of 1 the cache of transformers keeps every row: its slice [-0:] is the whole.
    window = rng.randint(2, 24)
    sizes = shape(hidden, heads, kv, head, mlp, layers, tie_word_embeddings=rng.random() < 0.4,
                  rms_norm_eps=float(rng.choice([1e-6, 1e-5, 1e-3])))
    sizes["max_position_embeddings"] = rng.choice([24, 40, 128])
    rope = random_rope(rng, sizes["max_position_embeddings"])
    some = [i for i in range(layers) if rng.random() < 0.5]
    bias = rng.random() < 0.5
    experts = rng.randint(2, 9)
    chosen = rng.randint(1, experts)
    width = rng.randint(4, 30)
    groups = rng.choice([1, 2, 3])
    if kind.startswith("deepseek"):
        for key in ["head_dim"]:
            del sizes[key]
        sizes["num_key_value_heads"] = heads
        kept = rng.randint(1, groups)
        per_group = rng.randint(2, 4)
        sizes |= dict(
            kv_lora_rank=rng.randint(3, 40), q_lora_rank=rng.choice([None, rng.randint(3, 30)]),
            qk_rope_head_dim=2 * rng.randint(1, 10), qk_nope_head_dim=rng.randint(2, 24),
            v_head_dim=rng.randint(2, 24), first_k_dense_replace=rng.randint(0, layers),
            n_routed_experts=groups * per_group, n_group=groups, topk_group=kept,
            num_experts_per_tok=rng.randint(1, kept * per_group), moe_intermediate_size=width,
            n_shared_experts=rng.randint(1, 2),
            routed_scaling_factor=round(rng.uniform(0.5, 3), 2), attention_bias=bias)
        if sizes["qk_rope_head_dim"] == 2 and rope["rope_type"] == "dynamic":
            sizes["qk_rope_head_dim"] = 4
    dtype = rng.choice([torch.float32, torch.bfloat16, torch.float16])
    if kind == "llama":
        config = LlamaConfig(**sizes, rope_parameters=rope, attention_bias=bias,
                             mlp_bias=rng.random() < 0.5)
    elif kind == "mistral":
        config = MistralConfig(**sizes, rope_parameters=rope,
                               sliding_window=rng.choice([None, window]))
    elif kind in ("qwen2", "qwen3"):
        make = Qwen2Config if kind == "qwen2" else Qwen3Config
        more = {} if kind == "qwen2" else dict(attention_bias=bias)
        if rng.random() < 0.5:
            more |= dict(use_sliding_window=True, sliding_window=window)
            more |= rng.choice([dict(max_window_layers=rng.randint(0, layers)),
                                dict(layer_types=listed(layers, some))])
        config = make(**sizes, **more, rope_parameters=rope)
    elif kind == "gemma2":
        config = Gemma2Config(**sizes, rope_parameters=rope, sliding_window=window,
                              query_pre_attn_scalar=rng.randint(4, 60), attention_bias=bias,
                              attn_logit_softcapping=rng.choice([None, 5.0, 50.0]),
                              final_logit_softcapping=rng.choice([None, 3.0, 30.0]))
    elif kind == "gemma3":
        full = random_rope(rng, 0)
        # Read from beside the nested objects there, and so never found.
        full.pop("truncate", None)
        config = Gemma3TextConfig(
            **sizes, sliding_window=window, query_pre_attn_scalar=rng.randint(4, 60),
            attention_bias=bias, layer_types=rng.choice([None, listed(layers, some)]),
            final_logit_softcapping=rng.choice([None, 3.0]),
            rope_parameters=dict(
                full_attention=full,
                sliding_attention=dict(
                    rope_type="default", rope_theta=float(rng.choice([1e3, 1e4])))))
    elif kind == "mixtral":
        config = MixtralConfig(**sizes, rope_parameters=rope, num_local_experts=experts,
                               num_experts_per_tok=chosen,
                               sliding_window=rng.choice([None, window]))
    elif kind in ("qwen2_moe", "qwen3_moe"):
        more = dict(num_experts=experts, num_experts_per_tok=chosen, moe_intermediate_size=width,
                    norm_topk_prob=bias, decoder_sparse_step=rng.randint(1, 2),
                    mlp_only_layers=[i for i in some if rng.random() < 0.4])
        if rng.random() < 0.5:
            more |= dict(use_sliding_window=True, sliding_window=window)
        if kind == "qwen2_moe":
            del sizes["head_dim"]
            if hidden // heads % 2:
                sizes["hidden_size"] = hidden + heads
            config = Qwen2MoeConfig(
                **sizes, **more, rope_parameters=rope, qkv_bias=rng.random() < 0.5,
                shared_expert_intermediate_size=rng.randint(4, 40),
                max_window_layers=rng.randint(0, layers))
        else:
            config = Qwen3MoeConfig(**sizes, **more, rope_parameters=rope, attention_bias=bias)
    elif kind == "deepseek_v2":
        # transformers views its heads as complex numbers, which needs even widths.
        for key in ["kv_lora_rank", "qk_nope_head_dim"]:
            sizes[key] += sizes[key] % 2
        sizes["topk_method"] = "greedy" if groups == 1 else rng.choice(
            ["greedy", "group_limited_greedy"])
        config = DeepseekV2Config(**sizes, rope_parameters=rope)
    elif kind.startswith("deepseek_v3"):
        config = DeepseekV3Config(**sizes, rope_parameters=rope, norm_topk_prob=bias,
                                  rope_interleave=rng.random() < 0.7)
    else:
        config = GptOssConfig(
            **sizes, rope_parameters=rng.choice([rope, None]), num_local_experts=experts,
            num_experts_per_tok=chosen, sliding_window=window, attention_bias=bias,
            layer_types=rng.choice([None, listed(layers, some)]))
    return Case(
        kind, config, dtype, shard=rng.choice(["5GB", "20KB"]),
        fp8_block=(rng.choice([(16, 16), (24, 32), (128, 128)]) if kind.endswith("fp8") else None),
        mxfp4=kind.endswith("mxfp4"), seed=rng.randint(1, 1 << 30),
        prefill=rng.randint(1, 40), steps=64, older=rng.random() < 0.4)
