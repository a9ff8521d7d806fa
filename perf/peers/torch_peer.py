"""What luffy bench measures, in PyTorch. Runs inside the folder that setup.sh made; compare.py drives it.

  torch_peer.py step SIZE DTYPE REPEAT     whole optimiser steps: {"seconds": [...], "peak_memory_bytes": n}
  torch_peer.py gemm                       products named on stdin as {"kind", "shape": [t, n, k], "dtype"} lines: {"seconds": x} a line
  torch_peer.py gguf SIZE FILE             a random model for llama.cpp, matrices in bfloat16
  torch_peer.py version
"""
import json
import resource
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F

# hidden, layers, heads, key-value heads, feed-forward, vocabulary, rows, length: the sizes of BenchmarkSize.cs
SIZES = {
    "tiny": (256, 6, 8, 2, 768, 512, 32, 256),
    "small": (512, 12, 8, 2, 1536, 4096, 8, 512),
    "qwen0.5b": (896, 24, 14, 2, 4864, 151936, 2, 256),
}
EPSILON = 1e-6
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Model:
    """Qwen2 with a tied head; parameters by name in one dictionary."""

    def __init__(self, size):
        (self.hidden, self.layers, self.heads, self.kv_heads, self.inner, self.vocabulary, self.rows, self.length) = SIZES[size]
        self.head_dim = self.hidden // self.heads
        generator = torch.Generator().manual_seed(1)
        draw = lambda *shape: torch.randn(*shape, generator=generator) * 0.05
        q, kv, h, i = self.heads * self.head_dim, self.kv_heads * self.head_dim, self.hidden, self.inner
        self.parameters = {"embedding": draw(self.vocabulary, h), "norm": 1 + draw(h)}
        for layer in range(self.layers):
            self.parameters |= {f"{layer}.{name}": value for name, value in {
                "attention_norm": 1 + draw(h), "mlp_norm": 1 + draw(h),
                "q": draw(q, h), "k": draw(kv, h), "v": draw(kv, h), "o": draw(h, q),
                "q_bias": draw(q), "k_bias": draw(kv), "v_bias": draw(kv),
                "gate": draw(i, h), "up": draw(i, h), "down": draw(h, i)}.items()}

    def log_probs(self, p, ids):
        """ln p of each token but the first, [rows, length]."""
        rows, length, d = ids.shape[0], ids.shape[1] - 1, self.head_dim
        x = p["embedding"][ids[:, :-1]]
        angles = torch.outer(torch.arange(length).double(), 1 / 10000 ** (torch.arange(0, d, 2).double() / d))
        cos, sin = (torch.cat([f, f], -1).to(x.dtype) for f in (angles.cos(), angles.sin()))
        # Below the diagonal 0, above it as good as −∞: Debian's scaled_dot_product_attention is slower on the CPU than its parts.
        mask = torch.full((length, length), -1e30, dtype=x.dtype).triu(1)
        rotate = lambda t: t * cos + torch.cat([-t[..., d // 2:], t[..., :d // 2]], -1) * sin
        for layer in range(self.layers):
            w = lambda name: p[f"{layer}.{name}"]
            h = rms_norm(x, w("attention_norm"))
            q, k, v = (F.linear(h, w(n), w(n + "_bias")).view(rows, length, -1, d).transpose(1, 2) for n in "qkv")
            q, k = rotate(q), rotate(k)
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, 1) for t in (k, v))
            attended = torch.softmax(q @ k.transpose(-1, -2) * d ** -0.5 + mask, -1) @ v
            x = x + F.linear(attended.transpose(1, 2).reshape(rows, length, -1), w("o"))
            h = rms_norm(x, w("mlp_norm"))
            x = x + F.linear(F.silu(F.linear(h, w("gate"))) * F.linear(h, w("up")), w("down"))
        logits = F.linear(rms_norm(x, p["norm"]), p["embedding"]).float()
        return torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None]).squeeze(-1)


def rms_norm(x, weight):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON)).to(x.dtype)


def luffy_loss(log_probs, advantages, off_policy, gamma=0.1):
    """The mixed-policy objective: ratio 1 with its gradient where sampled, p / (p + gamma) where demonstrated."""
    p = log_probs.exp()
    weight = torch.where(off_policy, p / (p + gamma), (log_probs - log_probs.detach()).exp())
    return -(advantages * weight).sum() / log_probs.shape[1]


def step(size, dtype, repeat):
    model = Model(size)
    master = [value.requires_grad_(True) for value in model.parameters.values()]
    optimizer = torch.optim.AdamW(master, lr=1e-6, foreach=True)
    ids = torch.randint(0, model.vocabulary, (model.rows, model.length + 1))
    advantages = torch.tensor([1.0 if i % 2 == 0 else -0.5 for i in range(model.rows)])[:, None]
    off_policy = (torch.arange(model.rows) % 8 == 0)[:, None]
    seconds = []
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        weights = {name: value.to(DTYPES[dtype]) for name, value in model.parameters.items()}
        luffy_loss(model.log_probs(weights, ids), advantages, off_policy).backward()
        torch.nn.utils.clip_grad_norm_(master, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds[1:], "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def product(kind, shape, dtype):
    t, n, k = shape
    tensor = lambda *dims: (torch.rand(*dims) * 0.2 - 0.1).to(DTYPES[dtype])
    if kind == "forward":
        x, w = tensor(t, k), tensor(n, k)
        return lambda: x @ w.T
    if kind == "backward input":
        dy, w = tensor(t, n), tensor(n, k)
        return lambda: dy @ w
    dy, x = tensor(t, n), tensor(t, k)
    return lambda: dy.T @ x


def gemm():
    for line in sys.stdin:
        case = json.loads(line)
        call = product(case["kind"], case["shape"], case["dtype"])

        def timed(calls):
            begin = time.perf_counter()
            for _ in range(calls):
                call()
            return (time.perf_counter() - begin) / calls

        call()
        calls = max(1, int(0.01 / timed(1)))
        print(json.dumps({"seconds": statistics.median(timed(calls) for _ in range(5))}), flush=True)


def gguf_string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(value):
    # Types of the GGUF specification: 4 uint32, 5 int32, 6 float32, 8 string, 9 array.
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(gguf_string(v) for v in value)
    return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def gguf(size, path):
    model = Model(size)
    settings = {
        "general.architecture": "qwen2", "general.name": size, "general.file_type": 32,
        "qwen2.block_count": model.layers, "qwen2.context_length": 32768, "qwen2.embedding_length": model.hidden,
        "qwen2.feed_forward_length": model.inner, "qwen2.attention.head_count": model.heads,
        "qwen2.attention.head_count_kv": model.kv_heads, "qwen2.rope.freq_base": 10000.0,
        "qwen2.attention.layer_norm_rms_epsilon": EPSILON,
        # A vocabulary that says nothing: the benchmarks feed ids.
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.merges": ["t 0"],
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(model.vocabulary)], "tokenizer.ggml.token_type": [1] * model.vocabulary,
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1,
    }
    names = {"attention_norm": "attn_norm.weight", "mlp_norm": "ffn_norm.weight", "o": "attn_output.weight", "gate": "ffn_gate.weight",
             "up": "ffn_up.weight", "down": "ffn_down.weight"}
    names |= {n: f"attn_{n}.weight" for n in "qkv"} | {f"{n}_bias": f"attn_{n}.bias" for n in "qkv"}
    tensors, offset = [], 0
    for name, value in model.parameters.items():
        layer, _, part = name.partition(".")
        own = {"embedding": "token_embd.weight", "norm": "output_norm.weight"}.get(name) or f"blk.{layer}.{names[part]}"
        # Types of tensors: 0 float32, 30 bfloat16.
        kind, raw = (30, value.bfloat16().view(torch.int16)) if value.dim() == 2 else (0, value)
        raw = raw.numpy().tobytes()
        tensors.append((own, list(value.shape)[::-1], kind, offset, raw))
        offset += len(raw) + -len(raw) % 32
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    header += b"".join(gguf_string(k) + gguf_value(v) for k, v in settings.items())
    for own, shape, kind, at, _ in tensors:
        header += gguf_string(own) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, at)
    with open(path, "wb") as file:
        file.write(header + b"\0" * (-len(header) % 32))
        for *_, raw in tensors:
            file.write(raw + b"\0" * (-len(raw) % 32))


def main(arguments):
    command, *rest = arguments or [""]
    if command == "step" and len(rest) == 3:
        step(rest[0], rest[1], int(rest[2]))
    elif command == "gemm":
        gemm()
    elif command == "gguf" and len(rest) == 2:
        gguf(*rest)
    elif command == "version":
        print(f"PyTorch {torch.__version__}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
