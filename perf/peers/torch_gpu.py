#!/usr/bin/env python3
"""What PyTorch reaches on this machine's GPU, beside what luffy bench measures there: one JSON object.

    torch_gpu.py ceilings                     a copy of memory (bytes read and written), and products of 8192 × 8192
    torch_gpu.py operations                   attention, norm, activation and optimiser at the shapes of `luffy bench kernels --large`
    torch_gpu.py loss eager|compiled          linear head and cross-entropy, forward and backward: 8,192 tokens, 4,096 wide, 131,072 of them
    torch_gpu.py step LENGTH eager|compiled   whole optimiser steps of transformers' Qwen2 at Qwen2.5-1.5B's shape, 16,384 tokens each

--tiny takes small shapes, and the CPU where there is no GPU: to try the script. Weights are random. Times are those of the device's own
clock, the median of single runs. Products are of random numbers, for zeros multiply faster; f32 without TF32.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

TINY = "--tiny" in sys.argv
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def pick(full, tiny):
    return tiny if TINY else full


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(work, repeat=20, warm=3):
    for _ in range(pick(warm, 1)):
        work()
    times = []
    for _ in range(pick(repeat, 2)):
        if DEVICE == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            times.append(begin.elapsed_time(end) * 1e-3)
        else:
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def extra_memory(work):
    """Bytes that were in use at once beside what was there before, or null without a GPU."""
    if DEVICE != "cuda":
        return None
    synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    synchronize()
    return torch.cuda.max_memory_allocated() - before


def random(*shape, dtype=torch.bfloat16, gradient=False):
    return torch.randn(*shape, device=DEVICE, dtype=dtype).requires_grad_(gradient)


def ceilings():
    n = pick(8192, 64)
    source = random(pick(1 << 28, 1 << 12), dtype=torch.float32)
    target = torch.empty_like(source)
    result = {"copy_gigabytes_per_second": 2e-9 * source.numel() * source.element_size() / seconds(lambda: target.copy_(source))}
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (random(n, n, dtype=dtype) for _ in range(2))
        c = torch.empty_like(a)
        result[name + "_gflops"] = 2e-9 * n**3 / seconds(lambda: torch.matmul(a, b, out=c))
    return result


def operations():
    """Seconds by name, at the shapes of luffy bench kernels --large."""
    result = {}
    sequences, length, heads, kv_heads, width = pick((2, 8192, 12, 2, 128), (1, 32, 4, 2, 16))
    q = random(sequences, heads, length, width, gradient=True)
    k, v = (random(sequences, kv_heads, length, width, gradient=True) for _ in range(2))
    upstream = random(sequences, heads, length, width)
    attend = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    result["attention forward"] = seconds(lambda: attend().detach())
    attended = attend()
    result["attention backward"] = seconds(lambda: torch.autograd.grad(attended, (q, k, v), upstream, retain_graph=True))
    tokens, hidden, inner = pick((16384, 1536, 8960), (8, 32, 48))
    x, gate_up, weight = random(tokens, hidden), random(tokens, 2 * inner), random(hidden)
    norm, gate = (lambda: F.rms_norm(x, (hidden,), weight, 1e-6)), (lambda: F.silu(gate_up[:, :inner]) * gate_up[:, inner:])
    result["rms norm forward"] = seconds(norm)
    result["swiglu forward"] = seconds(gate)
    parameter = torch.nn.Parameter(random(pick(65536, 64), hidden, dtype=torch.float32))
    parameter.grad = random(*parameter.shape, dtype=torch.float32)
    result["adamw update"] = seconds(torch.optim.AdamW([parameter], lr=1e-6, fused=True).step)
    return {"seconds": result}


def loss(mode):
    rows, hidden, vocabulary = pick((8192, 4096, 131072), (16, 32, 96))
    x, head = random(rows, hidden, gradient=True), random(vocabulary, hidden)
    with torch.no_grad():
        head.mul_(hidden ** -0.5)
    head.requires_grad_(True)
    targets = torch.randint(0, vocabulary, (rows,), device=DEVICE)
    # Gradients that are there already are added to, as in training.
    x.grad, head.grad = torch.zeros_like(x), torch.zeros_like(head)
    forward = lambda: F.cross_entropy(F.linear(x, head).float(), targets)
    if mode == "compiled":
        forward = torch.compile(forward)
    work = lambda: forward().backward()
    taken = seconds(work, repeat=10)
    # 8, as benchmarks count that work out the logits twice.
    return {"seconds": taken, "teraflops": 8e-12 * rows * hidden * vocabulary / taken, "extra_bytes": extra_memory(work)}


def step(length, mode):
    """bf16 weights, gradients and moments: less memory traffic in the optimiser than luffy's f32 masters and moments cost."""
    import transformers

    config = transformers.Qwen2Config(
        **pick({"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "intermediate_size": 8960,
                "vocab_size": 151936, "max_position_embeddings": 32768},
               {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48,
                "vocab_size": 96, "max_position_embeddings": 64}),
        tie_word_embeddings=True, use_cache=False)
    with torch.device(DEVICE):
        model = transformers.Qwen2ForCausalLM(config)
    # Attention is scaled_dot_product_attention, as the library chooses by itself.
    model = model.to(torch.bfloat16).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=DEVICE == "cuda")
    run = torch.compile(model) if mode == "compiled" else model
    tokens = pick(16384, 64)
    # Half of a step at once, or what fits of it: logits and activations are what takes memory.
    at_once = max(1, tokens // length // 2)
    while True:
        try:
            taken, peak = whole_steps(run, optimizer, config.vocab_size, length, at_once, max(1, tokens // length // at_once))
            break
        except torch.cuda.OutOfMemoryError:
            if at_once == 1:
                raise
            at_once //= 2
            optimizer.zero_grad()
            torch.cuda.empty_cache()
    return {"transformers": transformers.__version__, "length": length, "mode": mode, "sequences_at_once": at_once, "seconds": taken,
            "tokens_per_second": max(1, tokens // length) * length / taken, "peak_memory_bytes": peak}


def whole_steps(run, optimizer, vocabulary, length, at_once, passes):
    ids = torch.randint(0, vocabulary, (passes, at_once, length), device=DEVICE)

    def one():
        for part in ids:
            (run(input_ids=part, labels=part).loss / passes).backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        optimizer.zero_grad()

    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    taken = seconds(one, repeat=5, warm=2)
    return taken, torch.cuda.max_memory_allocated() if DEVICE == "cuda" else None


def main(arguments):
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(1)
    name, *rest = arguments or [""]
    modes = ("eager", "compiled")
    if name == "ceilings" and not rest:
        result = ceilings()
    elif name == "operations" and not rest:
        result = operations()
    elif name == "loss" and len(rest) == 1 and rest[0] in modes:
        result = {"mode": rest[0]} | loss(rest[0])
    elif name == "step" and len(rest) == 2 and rest[0].isdigit() and rest[1] in modes:
        result = step(int(rest[0]), rest[1])
    else:
        sys.exit(__doc__)
    print(json.dumps({"what": name, "device": torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU", "torch": torch.__version__} | result))


if __name__ == "__main__":
    main([a for a in sys.argv[1:] if a != "--tiny"])
