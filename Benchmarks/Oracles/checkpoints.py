"""From a case to a folder, its tokens and the logits that transformers computes from them."""

import copy

import torch
import transformers

import reference
import weights


def make(case, folder):
    """Writes the checkpoint of a case; returns its tokens and transformers' logits."""
    model = transformers.AutoModelForCausalLM.from_config(
        copy.deepcopy(case.config), attn_implementation="eager", dtype=torch.float32,
        experts_implementation="eager").eval()
    weights.randomise(model, case.seed)
    whole = case.fp8_block or case.mxfp4
    reference.save(model, folder, case.dtype, shard="5GB" if whole else case.shard)
    if case.older:
        reference.edit_config(folder, reference.older_keys)
    if case.fp8_block:
        decoded = reference.quantise_fp8(folder, case.fp8_block)
    elif case.mxfp4:
        decoded = reference.quantise_mxfp4(folder)
    if whole:
        model = reference.load_decoded(folder, decoded, folder + ".decoded")
    else:
        model = reference.load(folder)
    generator = torch.Generator().manual_seed(case.seed + 1)
    tokens = torch.randint(
        0, case.config.vocab_size, (case.prefill + case.steps,), generator=generator).tolist()
    return tokens, reference.logits(model, tokens, case.prefill)
