"""An independent oracle in PyTorch: Qwen2/Llama/Qwen3 forward, the mixed-policy objective, safetensors in and out.

Everything is written for clarity and computed in float64 unless asked otherwise: one sequence at a time, no cache, no packing,
gradients by autograd. Needs torch and nothing else. See README.md beside this file.
"""
import json
import math
import os
import struct

import torch
import torch.nn.functional as F

DEFAULT_SETTINGS = {
    "temperature": 1.0,
    "off_policy_reshape": "p_div_p_gamma", "off_policy_gamma": 0.1, "off_policy_exponent": 0.5, "off_policy_logp_weight": 1.0,
    "off_policy_clip_low": None, "off_policy_clip_high": None,
    "on_policy_reshape": "none", "on_policy_gamma": 0.1, "on_policy_exponent": 0.5, "on_policy_logp_weight": 1.0,
    "clip": False, "epsilon": 0.2, "epsilon_high": 0.2, "max_probability": None,
    "entropy_coef": 0.0, "beta": 0.0, "kl_estimator": "k3",
    "loss_normalizer": "tokens", "max_completion_length": 16,
}


# ---------------------------------------------------------------- model

def parameter_shapes(config):
    """Name -> shape, in the order in which checkpoints list them."""
    hidden, heads, kv_heads = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = head_dimension(config)
    inner, vocabulary = config["intermediate_size"], config["vocab_size"]
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        shapes[prefix + "input_layernorm.weight"] = (hidden,)
        for name, rows in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            shapes[prefix + f"self_attn.{name}_proj.weight"] = (rows * head_dim, hidden)
            if config["model_type"] == "qwen2":
                shapes[prefix + f"self_attn.{name}_proj.bias"] = (rows * head_dim,)
        if config["model_type"] == "qwen3":
            shapes[prefix + "self_attn.q_norm.weight"] = shapes[prefix + "self_attn.k_norm.weight"] = (head_dim,)
        shapes[prefix + "self_attn.o_proj.weight"] = (hidden, heads * head_dim)
        shapes[prefix + "post_attention_layernorm.weight"] = (hidden,)
        shapes[prefix + "mlp.gate_proj.weight"] = (inner, hidden)
        shapes[prefix + "mlp.up_proj.weight"] = (inner, hidden)
        shapes[prefix + "mlp.down_proj.weight"] = (hidden, inner)
    shapes["model.norm.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (vocabulary, hidden)
    return shapes


def random_parameters(config, seed, spread=0.2, embedding_spread=0.4):
    """float32 values wide enough that the distributions are far from uniform and every path matters."""
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, shape in parameter_shapes(config).items():
        noise = torch.randn(shape, generator=generator, dtype=torch.float32)
        if "norm" in name:
            parameters[name] = 1 + 0.1 * noise
        elif "embed" in name or "lm_head" in name:
            parameters[name] = embedding_spread * noise
        else:
            parameters[name] = spread * noise
    return parameters


def head_dimension(config):
    """Qwen3 states it or means 128; the others divide the width where they do not state it."""
    if config.get("model_type") == "qwen3":
        return config.get("head_dim", 128)
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def rope_settings(config):
    """One dictionary in the form of Transformers 5, whatever form the config has: theta is looked for inside first."""
    rope = dict(config.get("rope_scaling") or config.get("rope_parameters") or {})
    rope.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    rope.setdefault("rope_type", rope.get("type", "default"))
    if rope["rope_type"] in ("llama3", "yarn"):
        if "original_max_position_embeddings" in config:
            rope["original_max_position_embeddings"] = config["original_max_position_embeddings"]
        rope.setdefault("original_max_position_embeddings", config.get("max_position_embeddings"))
    return rope


def rope_frequencies(config, length=None):
    """
    Angle per position of each of the head_dim/2 pairs, float64, and the factor of cosines and sines: Hugging Face's modeling_rope_utils
    (Transformers 5). The length of the sequence counts for `dynamic` alone.
    """
    rope, dim = rope_settings(config), head_dimension(config)
    theta, kind = float(rope["rope_theta"]), rope["rope_type"]
    pairs = torch.arange(dim // 2, dtype=torch.float64)
    plain = theta ** -(2 * pairs / dim)
    if kind == "default":
        return plain, 1.0
    if kind == "linear":
        return plain / rope["factor"], 1.0
    if kind == "dynamic":
        window, factor = config["max_position_embeddings"], rope["factor"]
        reached = max(length or 0, window)
        grown = theta * (factor * reached / window - (factor - 1)) ** (dim / (dim - 2))
        return grown ** -(2 * pairs / dim), 1.0
    original = rope["original_max_position_embeddings"]
    if kind == "llama3":
        factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
        scaled = []
        for frequency in plain.tolist():
            wavelength = 2 * math.pi / frequency
            if wavelength > original / low:
                scaled.append(frequency / factor)
            elif wavelength < original / high:
                scaled.append(frequency)
            else:
                smooth = (original / wavelength - low) / (high - low)
                scaled.append((1 - smooth) * frequency / factor + smooth * frequency)
        return torch.tensor(scaled, dtype=torch.float64), 1.0
    assert kind == "yarn", kind
    factor = rope.get("factor")
    if factor is None:
        factor = config["max_position_embeddings"] / original
    mscale = lambda m: 1.0 if factor <= 1 else 0.1 * m * math.log(factor) + 1.0
    attention = rope.get("attention_factor")
    if attention is None:
        both = rope.get("mscale") and rope.get("mscale_all_dim")
        attention = mscale(rope["mscale"]) / mscale(rope["mscale_all_dim"]) if both else mscale(1)
    pair_of = lambda turns: dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))
    low, high = pair_of(rope.get("beta_fast") or 32), pair_of(rope.get("beta_slow") or 1)
    if rope.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    kept = 1 - ((pairs - low) / (high - low + (0.001 if low == high else 0))).clamp(0, 1)
    return plain / factor * (1 - kept) + plain * kept, float(attention)


def rope_table(config, positions):
    """[P, head_dim] float64: cos of the angles, then their sin."""
    frequencies, factor = rope_frequencies(config, positions)
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
    return torch.cat([angles.cos(), angles.sin()], dim=1) * factor


def rotate(x, table):
    """x [T, heads, D], table [T, D]: element i turns with element i + D/2."""
    half = x.shape[-1] // 2
    cos, sin = table[:, None, :half].to(x.dtype), table[:, None, half:].to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def widened(x):
    """16 bits are widened where Hugging Face's models widen them: within norms and softmax."""
    return x.float() if x.element_size() < 4 else x


def rms_norm(x, weight, epsilon):
    wide = widened(x)
    return (wide * torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + epsilon)).to(x.dtype) * weight


def attention(q, k, v):
    """q [T, heads, D], k and v [T, kv_heads, D] -> y [T, heads, D], log-sum-exp [T, heads] of the scaled scores; causal."""
    length, heads, head_dim = q.shape
    group = heads // k.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    outputs, sums = [], []
    for head in range(heads):
        scores = q[:, head] @ k[:, head // group].T / math.sqrt(head_dim)
        scores = widened(scores).masked_fill(~causal, -math.inf)
        outputs.append(torch.softmax(scores, dim=-1).to(v.dtype) @ v[:, head // group])
        sums.append(torch.logsumexp(scores, dim=-1))
    return torch.stack(outputs, dim=1), torch.stack(sums, dim=1)


def forward(parameters, config, ids):
    """Logits [T, vocabulary] of one sequence of ids."""
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = head_dimension(config)
    epsilon = config["rms_norm_eps"]
    table = rope_table(config, len(ids))
    x = parameters["model.embed_tokens.weight"][torch.tensor(ids)]

    def linear(name, value):
        return F.linear(value, parameters[name + ".weight"], parameters.get(name + ".bias"))

    def head_norm(name, value):
        # Qwen3: over each head by itself, before it is rotated.
        return rms_norm(value, parameters[name + ".weight"], epsilon) if name + ".weight" in parameters else value

    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        h = rms_norm(x, parameters[prefix + "input_layernorm.weight"], epsilon)
        q = rotate(head_norm(prefix + "self_attn.q_norm", linear(prefix + "self_attn.q_proj", h).view(-1, heads, head_dim)), table)
        k = rotate(head_norm(prefix + "self_attn.k_norm", linear(prefix + "self_attn.k_proj", h).view(-1, kv_heads, head_dim)), table)
        v = linear(prefix + "self_attn.v_proj", h).view(-1, kv_heads, head_dim)
        y, _ = attention(q, k, v)
        x = x + linear(prefix + "self_attn.o_proj", y.reshape(len(ids), heads * head_dim))
        h = rms_norm(x, parameters[prefix + "post_attention_layernorm.weight"], epsilon)
        x = x + linear(prefix + "mlp.down_proj", F.silu(linear(prefix + "mlp.gate_proj", h)) * linear(prefix + "mlp.up_proj", h))
    x = rms_norm(x, parameters["model.norm.weight"], epsilon)
    return F.linear(x, parameters["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"])


def next_token_logprobs(parameters, config, ids):
    """ln p of ids[1..], each given what stands before it; temperature 1."""
    logits = widened(forward(parameters, config, ids)[:-1])
    return torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]


# ---------------------------------------------------------------- objective

def with_gradient(value, slope, logp):
    """The value, with a derivative by logp that is a constant: how the methods below are published."""
    slope = slope.detach()
    return value.detach() + slope * logp - (slope * logp).detach()


def shape_off(p, logp, s, gamma, old=None):
    """The shaping of p, or of what else x = e^logp is; `old` for rl_plus alone, None: the current log-probs."""
    def trust_region():
        return with_gradient(torch.where(p < gamma, p / gamma, 1 + (p / gamma).log()), (p / gamma).clamp(max=1), logp)

    def rl_plus():
        p_old, rest, e = (logp if old is None else old).exp().detach(), 1 - p, s["off_policy_exponent"]
        mixture = p_old + (p_old + s["off_policy_uniform"]) / 2
        return with_gradient(2 / mixture * (1 - rest ** (e + 1)) / (e + 1), 2 * p / mixture * rest ** e, logp)

    return {
        "trust_region": trust_region,
        "p_one_minus_p": lambda: with_gradient(p - p * p / 2, p * (1 - p), logp),
        "rl_plus": rl_plus,
        "none": lambda: p,
        "p_div_p_gamma": lambda: p / (p + gamma),
        "sqrt": lambda: p.sqrt(),
        "pow": lambda: p ** s["off_policy_exponent"],
        "logp": lambda: s["off_policy_logp_weight"] * logp,
        "p_logp": lambda: p + s["off_policy_logp_weight"] * logp,
    }[s["reshape"]]()


def shape_on(logp, old, s):
    ratio, gamma = (logp - old).exp(), s["on_policy_gamma"]
    p, p_old = logp.exp(), old.exp()
    low, high = 1 - s["epsilon"], 1 + s["epsilon_high"]

    def cispo():
        bound = ratio.clamp(low, high)
        return with_gradient(bound * (1 + (ratio / bound).log()), bound, logp)

    return {
        "cispo": cispo,
        "none": lambda: ratio,
        "p_div_p_gamma": lambda: (p / (p + gamma)) / (p_old / (p_old + gamma)),
        "sqrt": lambda: ratio.sqrt(),
        "pow": lambda: ratio ** s["on_policy_exponent"],
        "logp": lambda: s["on_policy_logp_weight"] * (logp - old),
        "p_logp": lambda: ratio + s["on_policy_logp_weight"] * (logp - old),
    }[s["on_policy_reshape"]]()


def policy_term(logp, advantage, off, s, old=None, behavior=None):
    """One row's tokens -> (policy loss, weight, clipped code), before normalisation. `old` None: the current log-probs, detached."""
    code = torch.zeros_like(logp)
    if off:
        p = logp.exp()
        if behavior is None:
            weight = shape_off(p, logp, {**s, "reshape": s["off_policy_reshape"]}, s["off_policy_gamma"], old)
        else:
            x = p / (behavior.exp() + 1e-6)
            weight = shape_off(x, x.log(), {**s, "reshape": s.get("behavior_reshape", "none")}, s.get("behavior_gamma", 0.1))
        if s["off_policy_clip_high"] is not None:
            code = torch.where(weight > s["off_policy_clip_high"], 2.0, code)
            weight = weight.clamp(max=s["off_policy_clip_high"])
        if s["off_policy_clip_low"] is not None:
            code = torch.where(weight < s["off_policy_clip_low"], 3.0, code)
            weight = weight.clamp(min=s["off_policy_clip_low"])
        loss = -advantage * weight
    else:
        old = logp.detach() if old is None else old
        if s.get("importance_sampling_level") == "sequence":
            # GSPO-token: the value is the geometric mean of the ratios, the derivative that of each token's own.
            old = logp.detach() - (logp - old).mean().detach()
        weight = shape_on(logp, old, s)
        loss = -advantage * weight
        if s["clip"]:
            clipped = -advantage * weight.clamp(1 - s["epsilon"], 1 + s["epsilon_high"])
            code = torch.where(clipped > loss, 1.0, code)
            loss = torch.maximum(loss, clipped)
    if s["max_probability"] is not None:
        dropped = logp.exp() > s["max_probability"]
        loss = torch.where(dropped, torch.zeros_like(loss), loss)
        code = torch.where(dropped, 4.0, code)
    return loss, weight, code


def kl_term(logp, reference, estimator):
    r = reference - logp
    return {"k1": lambda: -r, "k2": lambda: r * r / 2, "k3": lambda: r.exp() - r - 1}[estimator]()


def row_weights(lengths, s):
    """One weight per row: 1/denominator of the normaliser, a global number fixed before any backward."""
    rows = len(lengths)
    return {
        "max_length": lambda: [1 / (s["max_completion_length"] * rows)] * rows,
        "tokens": lambda: [1 / sum(lengths)] * rows,
        "sequences": lambda: [1 / (rows * n) for n in lengths],
        "sum": lambda: [1.0] * rows,
        "luffy_reference": lambda: [1 / s["max_completion_length"]] * rows,
    }[s["loss_normalizer"]]()


def objective(logits, targets, advantage, off, weight, s, old=None, behavior=None, reference=None):
    """logits [n, V] that predict targets [n] -> (loss of these tokens, statistics by name, each a list)."""
    log_distribution = torch.log_softmax(logits / s["temperature"], dim=-1)
    logp = log_distribution[torch.arange(len(targets)), torch.tensor(targets)]
    entropy = -(log_distribution.exp() * log_distribution).sum(dim=-1)
    policy, w, code = policy_term(logp, advantage, off, s, old, behavior)
    gradient, = torch.autograd.grad(policy.sum(), logp, retain_graph=True)
    loss = weight * (policy - s["entropy_coef"] * entropy).sum()
    kl = torch.zeros_like(logp)
    if reference is not None:
        kl = kl_term(logp, reference, s["kl_estimator"])
        loss = loss + weight * s["beta"] * kl.sum()
    statistics = {"logprob": logp, "entropy": entropy, "log_sum_exp": torch.logsumexp(logits / s["temperature"], dim=-1),
                  "policy_loss": policy, "weight": w, "policy_gradient": gradient, "kl": kl, "clipped": code}
    return loss, {k: v.detach().tolist() for k, v in statistics.items()}


def batch_loss(parameters, config, rows, settings):
    """Rows as `luffy replay` reads them -> (loss, statistics: name -> list over all response tokens, row after row)."""
    s = {**DEFAULT_SETTINGS, **settings}
    lengths = [len(row["ids"]) - row["prompt_length"] for row in rows]
    total, collected = 0.0, {}
    dtype = next(iter(parameters.values())).dtype
    tensor = lambda values: None if values is None else torch.tensor(values, dtype=dtype)
    for row, weight in zip(rows, row_weights(lengths, s)):
        n = row["prompt_length"]
        logits = forward(parameters, config, row["ids"])[n - 1:-1]
        loss, statistics = objective(logits, row["ids"][n:], row["advantage"], row["source"] == "off", weight, s,
                                     tensor(row.get("old_logprobs")), tensor(row.get("behavior_logprobs")), tensor(row.get("reference_logprobs")))
        total = total + loss
        for name, values in statistics.items():
            collected.setdefault(name, []).extend(values)
    return total, collected


def loss_and_gradients(parameters, config, rows, settings, dtype=torch.float64):
    leaves = {name: value.detach().to(dtype).requires_grad_(True) for name, value in parameters.items()}
    loss, statistics = batch_loss(leaves, config, rows, settings)
    loss.backward()
    return loss.item(), statistics, {name: leaf.grad for name, leaf in leaves.items()}


# ---------------------------------------------------------------- files

def save_safetensors(path, tensors):
    """Stores float32 tensors, in order."""
    header, position, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name, tensor in tensors.items():
        values = tensor.detach().to(torch.float32).contiguous().flatten()
        blob = struct.pack(f"<{values.numel()}f", *values.tolist()) if values.numel() < 1000 else values.numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [position, position + len(blob)]}
        position += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def load_safetensors(path):
    with open(path, "rb") as file:
        content = bytearray(file.read())
    length, = struct.unpack("<Q", content[:8])
    tensors = {}
    for name, entry in json.loads(content[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}[entry["dtype"]]
        data = bytearray(content[8 + length + begin:8 + length + end])
        tensors[name] = (torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)).reshape(entry["shape"]).float()
    return tensors


def save_model(directory, config, parameters):
    os.makedirs(directory, exist_ok=True)
    write_json(os.path.join(directory, "config.json"), config)
    save_safetensors(os.path.join(directory, "model.safetensors"), parameters)


def load_model(directory):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    return config, load_safetensors(os.path.join(directory, "model.safetensors"))


def rounded(value, digits=12):
    """Numbers for JSON: 12 significant digits keep far more than f32 can tell apart and stay readable."""
    if isinstance(value, dict):
        return {k: rounded(v, digits) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v, digits) for v in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    return value


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(_lines(rounded(value)) + "\n")


def _lines(value, indent=""):
    """Objects on several lines, lists of numbers on one: small and still diffable."""
    if isinstance(value, dict) and value:
        inner = ",\n".join(f"{indent}  {json.dumps(k)}: {_lines(v, indent + '  ')}" for k, v in value.items())
        return "{\n" + inner + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(indent + "  " + _lines(item, indent + "  ") for item in value) + f"\n{indent}]"
    return json.dumps(value)


def write_jsonl(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
