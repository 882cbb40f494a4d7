"""Random weights that make every part of a model matter, and the 8- and 4-bit formats of published
checkpoints, written and decoded by their definitions and independently of the Swift code."""

import math

import torch


def randomise(model, seed):
    """Fills a model so that logits are of order one and no norm, bias or sink is neutral."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, deviation):
        return torch.randn(shape, generator=generator) * deviation

    zero_centred = model.config.model_type.startswith("gemma")
    with torch.no_grad():
        for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
            if tensor.dtype != torch.float32 or "inv_freq" in name or "embed_scale" in name:
                continue
            if name.endswith("e_score_correction_bias"):
                values = normal(tensor.shape, 0.2)
            elif name.endswith("sinks"):
                values = normal(tensor.shape, 1.0)
            elif "norm" in name and tensor.ndim == 1:
                values = normal(tensor.shape, 0.25) + (0.0 if zero_centred else 1.0)
            elif name.endswith("bias"):
                values = normal(tensor.shape, 0.3)
            elif "embed_tokens" in name:
                values = normal(tensor.shape, 1.0)
            elif "experts" in name and tensor.ndim == 3:
                # [experts, outputs, inputs], or transposed in gpt-oss.
                transposed = model.config.model_type == "gpt_oss"
                values = normal(tensor.shape, tensor.shape[1 if transposed else 2] ** -0.5)
            elif tensor.ndim == 2:
                values = normal(tensor.shape, 1.2 * tensor.shape[1] ** -0.5)
            else:
                values = normal(tensor.shape, 0.3)
            tensor.copy_(values)
    if model.config.tie_word_embeddings:
        model.tie_weights()


def to_block_fp8(weight, rows, columns):
    """[outputs, inputs] -> E4M3 values and one float32 factor a block, by its largest magnitude."""
    outputs, inputs = weight.shape
    grid = (math.ceil(outputs / rows), math.ceil(inputs / columns))
    values = torch.empty(weight.shape, dtype=torch.float8_e4m3fn)
    factors = torch.empty(grid)
    for i in range(grid[0]):
        for j in range(grid[1]):
            block = weight[i * rows:(i + 1) * rows, j * columns:(j + 1) * columns]
            factors[i, j] = block.abs().max().clamp(min=1e-12) / 448
            values[i * rows:(i + 1) * rows, j * columns:(j + 1) * columns] = (
                block / factors[i, j]).to(torch.float8_e4m3fn)
    return values, factors


def from_block_fp8(values, factors, rows, columns):
    """The weights that the values stand for: each times the factor of its block."""
    outputs, inputs = values.shape
    wide = factors.repeat_interleave(rows, 0)[:outputs].repeat_interleave(columns, 1)[:, :inputs]
    return values.to(torch.float32) * wide


E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def to_mxfp4(weight):
    """[..., outputs, inputs] -> nibbles [..., outputs, inputs/32, 16], the even element in the lower
    half of a byte, and exponents [..., outputs, inputs/32] with a bias of 127."""
    groups = weight.reshape(*weight.shape[:-1], -1, 32)
    peak = groups.abs().amax(-1).clamp(min=1e-20)
    exponents = torch.floor(torch.log2(peak)) - 2
    scaled = groups / torch.exp2(exponents).unsqueeze(-1)
    index = (scaled.unsqueeze(-1) - E2M1).abs().argmin(-1).to(torch.uint8)
    blocks = index[..., 0::2] | index[..., 1::2] << 4
    return blocks, (exponents + 127).to(torch.uint8)


def from_mxfp4(blocks, scales):
    """The weights that the nibbles stand for."""
    low, high = E2M1[(blocks & 15).long()], E2M1[(blocks >> 4).long()]
    values = torch.stack([low, high], -1).reshape(*blocks.shape[:-1], 32)
    values = values * torch.exp2(scales.to(torch.float32) - 127).unsqueeze(-1)
    return values.reshape(*values.shape[:-2], -1)
