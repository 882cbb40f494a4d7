"""Checkpoints in Hugging Face's layout and what transformers makes of them."""

import json
import os
import shutil

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import weights

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def save(model, folder, dtype, shard="5GB"):
    """Writes the model as transformers does."""
    shutil.rmtree(folder, ignore_errors=True)
    model = model.to(dtype)
    # Loading otherwise reports a buffer of another type than the weights.
    model.save_pretrained(folder, max_shard_size=shard)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)


def load(folder):
    """The model that unmodified transformers reads from the folder, in float32."""
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager",
        experts_implementation="eager").eval()


def logits(model, tokens, prefill):
    """Logits of every token: the first `prefill` in one call, the others one by one."""
    ids = torch.tensor([tokens])
    rows = []
    with torch.no_grad():
        result = model(input_ids=ids[:, :prefill], use_cache=True)
        rows.append(result.logits[0])
        past = result.past_key_values
        for place in range(prefill, len(tokens)):
            result = model(
                input_ids=ids[:, place:place + 1], past_key_values=past, use_cache=True)
            past = result.past_key_values
            rows.append(result.logits[0])
    return torch.cat(rows).to(torch.float32).contiguous()


def edit_config(folder, change):
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        config = json.load(file)
    change(config)
    with open(path, "w") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


def older_keys(config):
    """A configuration as files had it before `rope_parameters`."""
    rope = config.pop("rope_parameters")
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    config["rope_theta"] = rope.pop("rope_theta")
    if rope.get("rope_type", "default") != "default":
        if len(rope) % 2:
            rope["type"] = rope.pop("rope_type")
        config["rope_scaling"] = rope
    elif config["model_type"] != "gpt_oss":
        config["rope_scaling"] = None
    else:
        # Without any, gpt-oss scales.
        config["rope_scaling"] = rope
    if "dtype" in config:
        config["torch_dtype"] = config.pop("dtype")


def quantise_fp8(folder, block):
    """Turns the projections of a saved folder into block-scaled 8-bit floats; the folder's own
    weights become what those stand for, so that `load` must have been called on a copy with
    `dequantised`. Returns the decoded tensors."""
    path = os.path.join(folder, "model.safetensors")
    tensors, decoded = load_file(path), {}
    for name in list(tensors):
        kept = "norm" in name or "embed" in name or "lm_head" in name or ".gate." in name
        if tensors[name].ndim != 2 or kept:
            decoded[name] = tensors[name]
            continue
        values, factors = weights.to_block_fp8(tensors[name].float(), *block)
        tensors[name], tensors[name + "_scale_inv"] = values, factors
        decoded[name] = weights.from_block_fp8(values, factors, *block)
    save_file(tensors, path, metadata={"format": "pt"})
    edit_config(folder, lambda config: config.update(quantization_config={
        "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
        "weight_block_size": list(block)}))
    return decoded


def quantise_mxfp4(folder):
    """Turns the expert weights of a saved gpt-oss folder into MXFP4. Returns the decoded tensors."""
    path = os.path.join(folder, "model.safetensors")
    tensors, decoded = load_file(path), {}
    for name in list(tensors):
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            decoded[name] = tensors[name]
            continue
        # Stored output-major, plain weights input-major.
        blocks, scales = weights.to_mxfp4(tensors.pop(name).float().transpose(1, 2))
        tensors[name + "_blocks"] = blocks.contiguous()
        tensors[name + "_scales"] = scales.contiguous()
        decoded[name] = weights.from_mxfp4(blocks, scales).transpose(1, 2).contiguous()
    save_file(tensors, path, metadata={"format": "pt"})
    edit_config(folder, lambda config: config.update(
        quantization_config={"quant_method": "mxfp4"}))
    return decoded


def load_decoded(folder, decoded, scratch):
    """The model of a quantised folder, from its decoded weights in a plain copy of it: reading the
    formats by transformers needs kernels that exist for GPUs only."""
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    shutil.copy(os.path.join(folder, "config.json"), scratch)
    edit_config(scratch, lambda config: config.pop("quantization_config"))
    save_file({name: tensor.float().contiguous() for name, tensor in decoded.items()},
              os.path.join(scratch, "model.safetensors"), metadata={"format": "pt"})
    model = load(scratch)
    shutil.rmtree(scratch)
    return model


def read_logits(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("logits")
