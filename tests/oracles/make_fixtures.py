"""Makes the numbers under tests/fixtures with PyTorch. Run by hand, only when a fixture has to change:

    python3 tests/oracles/make_fixtures.py [OUTPUT_DIRECTORY]

Needs torch. Deterministic for one version of torch; README.md beside this file says what each fixture holds.
"""
import json
import math
import os
import sys

import torch

import luffy_oracle as oracle

COMMON = {"hidden_act": "silu", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
          "head_dim": 8, "intermediate_size": 48, "vocab_size": 64, "rms_norm_eps": 1e-6, "max_position_embeddings": 128,
          "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float32"}
MODELS = {
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "rope_theta": 10000.0, "tie_word_embeddings": True},
    # A small theta and a short original window, so that all three branches of the scaling act within twenty positions.
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "rope_theta": 100.0, "tie_word_embeddings": False,
              "attention_bias": False, "mlp_bias": False,
              "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 64}},
    # Heads wider than hidden/heads, their norms, and rotary settings as Transformers 5 writes them; a factor that both cosines and scores show.
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **COMMON, "head_dim": 16, "tie_word_embeddings": True, "attention_bias": False,
              "rope_parameters": {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 32}},
}
# Settings of rotary positions in every form and with every default: config.json's keys -> frequencies and the factor of cosines and sines.
ROPES = {
    "default": {"rope_theta": 1000000.0, "rope_scaling": None},
    "no_theta": {},
    "default_5": {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "theta_inside_wins": {"rope_theta": 10000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "scaling_before_parameters": {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.0},
                                  "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    "empty_scaling": {"rope_theta": 10000.0, "rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 3.0}},
    "linear": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "linear_type": {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}},
    "dynamic": {"rope_theta": 10000.0, "rope_scaling": {"type": "dynamic", "factor": 4.0}},
    "llama3": {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                                        "original_max_position_embeddings": 8192}},
    "llama3_no_original": {"rope_theta": 500000.0, "max_position_embeddings": 4096,
                           "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}},
    "yarn": {"rope_theta": 1000000.0, "max_position_embeddings": 131072,
             "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
    "yarn_type": {"rope_theta": 1000000.0, "max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0,
                                                                                              "original_max_position_embeddings": 32768}},
    "yarn_no_original": {"rope_theta": 10000.0, "max_position_embeddings": 16384, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
    "yarn_no_factor": {"rope_theta": 10000.0, "max_position_embeddings": 65536,
                       "rope_scaling": {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 8192}},
    "yarn_attention": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 4096,
                                                               "attention_factor": 0.75, "beta_fast": 16, "beta_slow": 2}},
    "yarn_zero_betas": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 4096,
                                                                "beta_fast": 0, "beta_slow": None}},
    "yarn_mscale": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096,
                                                            "mscale": 1.0, "mscale_all_dim": 0.707}},
    "yarn_one_mscale": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096,
                                                                "mscale": 0.5, "mscale_all_dim": 0}},
    "yarn_untruncated": {"rope_theta": 150000.0, "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096,
                                                                  "truncate": False}},
    "yarn_no_ramp": {"rope_theta": 10000.0, "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 6}},
    "yarn_original_beside": {"rope_theta": 10000.0, "original_max_position_embeddings": 2048, "max_position_embeddings": 8192,
                             "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}},
}
CASES = [
    ("gamma_0.1", {}),
    ("everything", {"clip": True, "epsilon": 0.1, "epsilon_high": 0.15, "entropy_coef": 0.01, "temperature": 0.7, "beta": 0.05,
                    "kl_estimator": "k3", "loss_normalizer": "sequences", "off_policy_gamma": 0.3}),
    ("gamma_0.3", {"off_policy_gamma": 0.3}),
    ("none", {"off_policy_reshape": "none"}),
    ("sqrt", {"off_policy_reshape": "sqrt"}),
    ("pow_0.7", {"off_policy_reshape": "pow", "off_policy_exponent": 0.7}),
    ("logp", {"off_policy_reshape": "logp"}),
    ("logp_0.5", {"off_policy_reshape": "logp", "off_policy_logp_weight": 0.5}),
    ("p_logp", {"off_policy_reshape": "p_logp", "off_policy_logp_weight": 0.25}),
    ("off_bounds", {"off_policy_clip_low": 0.05, "off_policy_clip_high": 0.5}),
    ("behavior", {"use_behavior_logprobs": True}),
    ("on_gamma", {"on_policy_reshape": "p_div_p_gamma", "on_policy_gamma": 0.2}),
    ("on_sqrt", {"on_policy_reshape": "sqrt"}),
    ("on_pow_0.7", {"on_policy_reshape": "pow", "on_policy_exponent": 0.7}),
    ("on_logp", {"on_policy_reshape": "logp"}),
    ("on_p_logp", {"on_policy_reshape": "p_logp", "on_policy_logp_weight": 0.5}),
    ("clip", {"clip": True, "epsilon": 0.1, "epsilon_high": 0.15}),
    ("max_probability", {"max_probability": 0.6}),
    ("entropy", {"entropy_coef": 0.01}),
    ("temperature_0.7", {"temperature": 0.7}),
    ("kl_k1", {"beta": 0.05, "kl_estimator": "k1"}),
    ("kl_k2", {"beta": 0.05, "kl_estimator": "k2"}),
    ("kl_k3", {"beta": 0.05, "kl_estimator": "k3"}),
    ("max_length", {"loss_normalizer": "max_length", "max_completion_length": 16}),
    ("sequences", {"loss_normalizer": "sequences"}),
    ("sum", {"loss_normalizer": "sum"}),
]
WITH_FULL_GRADIENTS = ("gamma_0.1", "everything")


def case_rows(rows, settings):
    """A case reads reference log-probs only with a KL term, and the teacher's only where it asks for them."""
    kept = {"ids", "prompt_length", "source", "advantage", "old_logprobs"}
    kept |= {"reference_logprobs"} if settings.get("beta") else set()
    kept |= {"behavior_logprobs"} if settings.get("use_behavior_logprobs") else set()
    return [{k: v for k, v in row.items() if k in kept} for row in rows]


def make_rows(parameters, config, generator):
    """Two groups of on-policy rows and a demonstration each; old log-probs near the current ones, one row without any."""
    rows = []
    double = {k: v.double() for k, v in parameters.items()}
    plan = [(4, 5, "on", 0.5), (4, 7, "on", -0.5), (4, 6, "off", 0.5), (3, 1, "on", 0.875), (3, 9, "on", -0.125), (3, 8, "off", 0.875),
            (1, 4, "on", -0.25)]
    for i, (prompt, response, source, advantage) in enumerate(plan):
        ids = torch.randint(2, config["vocab_size"], (prompt,), generator=generator).tolist()
        # Sampled from the model itself, a little hot, so that likely and unlikely tokens both occur: the shapings differ between them.
        for _ in range(response):
            distribution = torch.softmax(oracle.forward(double, config, ids)[-1] / 1.2, dim=-1)
            ids.append(torch.multinomial(distribution, 1, generator=generator).item())
        if i not in (1, 2, 5, 6):
            ids[-1] = config["eos_token_id"]
        row = {"ids": ids, "prompt_length": prompt, "source": source, "advantage": advantage}
        logits = oracle.forward(double, config, ids)[prompt - 1:-1]
        current = torch.log_softmax(logits, dim=-1)[torch.arange(response), torch.tensor(ids[prompt:])].float()
        noise = lambda scale: (current + scale * torch.randn(response, generator=generator)).clamp(max=-1e-3).tolist()
        if source == "on" and i != 3:
            row["old_logprobs"] = noise(0.15)
        row["reference_logprobs"] = noise(0.3)
        if source == "off":
            row["behavior_logprobs"] = noise(0.5)
        rows.append(row)
    return rows


def compact(gradients):
    """Norm and three entries of each tensor: enough to see any error, small enough to commit for every setting."""
    result = {}
    for name, gradient in gradients.items():
        flat = gradient.flatten()
        picks = sorted({flat.abs().argmax().item(), flat.numel() // 3, flat.numel() - 1})
        result[name] = {"norm": flat.norm().item(), "entries": [[i, flat[i].item()] for i in picks]}
    return result


def make_model(name, directory):
    config = MODELS[name]
    parameters = oracle.random_parameters(config, seed=7 + list(MODELS).index(name))
    generator = torch.Generator().manual_seed(11)
    oracle.save_model(os.path.join(directory, name), config, parameters)
    folder = os.path.join(directory, name, "expected")
    os.makedirs(folder, exist_ok=True)
    double = {k: v.double() for k, v in parameters.items()}

    sequences = [torch.randint(0, config["vocab_size"], (n,), generator=generator).tolist() for n in (19, 2, 11)]
    with torch.no_grad():
        oracle.write_json(os.path.join(folder, "score.json"), {
            "ids": sequences,
            "logprobs": [oracle.next_token_logprobs(double, config, ids).tolist() for ids in sequences],
            "logits_of_third": oracle.forward(double, config, sequences[2]).tolist(),
            "rope_table": oracle.rope_table(config, 19).tolist(),
        })
        rows = make_rows(parameters, config, generator)
    oracle.write_jsonl(os.path.join(folder, "batch.jsonl"), rows)

    cases = []
    for case, settings in CASES:
        loss, statistics, gradients = oracle.loss_and_gradients(parameters, config, case_rows(rows, settings), settings)
        total = math.sqrt(sum(g.pow(2).sum().item() for g in gradients.values()))
        cases.append({"name": case, "settings": settings, "loss": loss, "gradient_norm": total, "statistics": statistics, "gradients": compact(gradients)})
        if case in WITH_FULL_GRADIENTS:
            oracle.save_safetensors(os.path.join(folder, f"gradients-{case}.safetensors"), gradients)
    oracle.write_json(os.path.join(folder, "losses.json"), {"defaults": oracle.DEFAULT_SETTINGS, "cases": cases})
    make_training(folder, config, parameters, case_rows(rows, {}))


def train(config, parameters, rows, recipe, dtype):
    leaves = {k: v.to(dtype).clone().requires_grad_(True) for k, v in parameters.items()}
    optimizer = torch.optim.AdamW(leaves.values(), lr=recipe["learning_rate"], betas=(recipe["adam_beta1"], recipe["adam_beta2"]),
                                  eps=recipe["adam_epsilon"], weight_decay=recipe["weight_decay"])
    steps = []
    for rate in recipe["rates"]:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss, _ = oracle.batch_loss(leaves, config, rows, recipe["settings"])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(leaves.values(), recipe["max_grad_norm"])
        optimizer.step()
        steps.append({"learning_rate": rate, "loss": loss.item(), "gradient_norm": norm.item()})
    return steps, leaves


def make_training(folder, config, parameters, rows):
    """Ten optimiser steps on one batch: linear warm-up over three steps from 0, then linear decay to 0 at step 10 (Hugging Face's `linear`)."""
    warmup, total, peak = 3, 10, 2e-3
    rates = [peak * (i / warmup if i < warmup else (total - i) / (total - warmup)) for i in range(total)]
    recipe = {"learning_rate": peak, "lr_scheduler_type": "linear", "warmup_steps": warmup, "max_steps": total, "adam_beta1": 0.9,
              "adam_beta2": 0.999, "adam_epsilon": 1e-8, "weight_decay": 0.1, "max_grad_norm": 1.0, "rates": rates,
              "settings": {"loss_normalizer": "sum", "clip": True, "epsilon": 0.1, "epsilon_high": 0.15, "entropy_coef": 0.01}}
    steps, weights = train(config, parameters, rows, recipe, torch.float64)
    single_steps, single = train(config, parameters, rows, recipe, torch.float32)
    worst = max((weights[k] - single[k].double()).norm().item() / (weights[k] - parameters[k].double()).norm().item() for k in weights)
    oracle.save_safetensors(os.path.join(folder, "trained.safetensors"), weights)
    oracle.write_json(os.path.join(folder, "training.json"), {
        "recipe": recipe, "steps": steps,
        "float32": {"losses": [s["loss"] for s in single_steps],
                    "worst_relative_error_of_update": worst,
                    "meaning": "max over tensors of |w32 - w64| / |w64 - w0| when PyTorch does the same in float32: what f32 can be asked for"},
    })


def make_adamw(directory):
    """Two vectors, given gradients, clip at 1, weight decay: everything after each of ten steps."""
    generator = torch.Generator().manual_seed(21)
    start = [torch.randn(5, generator=generator), torch.randn(3, 4, generator=generator)]
    leaves = [t.double().requires_grad_(True) for t in start]
    optimizer = torch.optim.AdamW(leaves, lr=0.01, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1)
    steps = []
    for step in range(10):
        rate = 0.01 * min(1.0, (step + 1) / 4)
        gradients = [torch.randn(t.shape, generator=generator) * (2.0 if step % 3 == 0 else 0.05) for t in start]
        for leaf, gradient in zip(leaves, gradients):
            leaf.grad = gradient.double()
        for group in optimizer.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(leaves, 1.0).item()
        optimizer.step()
        flat = lambda tensors: [x for t in tensors for x in t.detach().flatten().tolist()]
        steps.append({"learning_rate": rate, "gradient": flat(gradients), "norm": norm, "clip_coefficient": min(1.0, 1.0 / (norm + 1e-6)),
                      "weights": flat(leaves), "m": flat(optimizer.state[leaf]["exp_avg"] for leaf in leaves),
                      "v": flat(optimizer.state[leaf]["exp_avg_sq"] for leaf in leaves)})
    oracle.write_json(os.path.join(directory, "adamw.json"), {
        "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.1, "max_grad_norm": 1.0,
        "initial": [x for t in start for x in t.flatten().tolist()], "steps": steps})


def make_ops(directory):
    """One small packed case of each operation, forward and backward; f32 inputs, outputs computed in f64."""
    generator = torch.Generator().manual_seed(31)
    stored, leaves = {}, {}

    def given(name, *shape, scale=1.0, offset=0.0):
        value = offset + scale * torch.randn(*shape, generator=generator)
        stored[name] = value
        leaves[name] = value.double().requires_grad_(True)
        return leaves[name]

    def backward(output, gradient, *inputs):
        for name, gradient_of_input in zip(inputs, torch.autograd.grad(output, [leaves[i] for i in inputs], gradient, retain_graph=True)):
            op, _, tensor = name.partition(".")
            stored[f"{op}.d_{tensor}"] = gradient_of_input

    x, weight = given("rms_norm.x", 5, 24), given("rms_norm.weight", 24, scale=0.2, offset=1)
    dy = given("rms_norm.dy", 5, 24)
    stored["rms_norm.y"] = y = oracle.rms_norm(x, weight, 1e-5)
    stored["rms_norm.rstd"] = torch.rsqrt(x.pow(2).mean(dim=-1) + 1e-5)
    backward(y, dy, "rms_norm.x", "rms_norm.weight")

    x, delta, weight = given("rms_norm_add.x", 5, 24), given("rms_norm_add.delta", 5, 24), given("rms_norm_add.weight", 24, scale=0.2, offset=1)
    dy, residual = given("rms_norm_add.dy", 5, 24), given("rms_norm_add.d_residual", 5, 24)
    total = x + delta
    stored["rms_norm_add.sum"], stored["rms_norm_add.y"] = total, (y := oracle.rms_norm(total, weight, 1e-5))
    stored["rms_norm_add.rstd"] = torch.rsqrt(total.pow(2).mean(dim=-1) + 1e-5)
    dx, dw = torch.autograd.grad([y, total], [leaves["rms_norm_add.x"], leaves["rms_norm_add.weight"]], [dy, residual])
    stored["rms_norm_add.d_x"], stored["rms_norm_add.d_weight"] = dx, dw

    positions, ropes = [0, 1, 2, 3, 0, 40, 63], {}
    for name, config in {"rope_10k": {"rope_theta": 10000.0}, "rope_1m": {"rope_theta": 1000000.0},
                         "rope_llama3": {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
                                         "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}}.items():
        config["head_dim"] = 16
        ropes[name] = {**config, "frequencies": oracle.rope_frequencies(config)[0].tolist()}
        table = oracle.rope_table(config, 64)
        stored[f"{name}.table"] = table
        qkv, dy = given(f"{name}.qkv", len(positions), 8, 16), given(f"{name}.dy", len(positions), 8, 16)
        rotated = torch.cat([oracle.rotate(qkv[:, :6], table[positions]), qkv[:, 6:]], dim=1)
        stored[f"{name}.y"] = rotated
        backward(rotated, dy, f"{name}.qkv")

    gate, up, dy = given("swiglu.gate", 5, 24, scale=2), given("swiglu.up", 5, 24), given("swiglu.dy", 5, 24)
    stored["swiglu.y"] = y = torch.nn.functional.silu(gate) * up
    backward(y, dy, "swiglu.gate", "swiglu.up")

    x, weight, bias = given("linear.x", 5, 24), given("linear.weight", 7, 24, scale=0.3), given("linear.bias", 7)
    dy = given("linear.dy", 5, 7)
    stored["linear.y"] = y = torch.nn.functional.linear(x, weight, bias)
    backward(y, dy, "linear.x", "linear.weight", "linear.bias")

    starts, heads, kv_heads, head_dim = [0, 5, 6, 12], 4, 2, 8
    qkv, dy = given("attention.qkv", 12, heads + 2 * kv_heads, head_dim, scale=1.5), given("attention.dy", 12, heads, head_dim)
    pieces = [oracle.attention(qkv[a:b, :heads], qkv[a:b, heads:heads + kv_heads], qkv[a:b, heads + kv_heads:]) for a, b in zip(starts, starts[1:])]
    stored["attention.y"], stored["attention.log_sum_exp"] = (torch.cat([p[i] for p in pieces]) for i in (0, 1))
    backward(stored["attention.y"], dy, "attention.qkv")

    cases = make_policy_loss_op(given, stored)
    oracle.save_safetensors(os.path.join(directory, "ops.safetensors"), stored)
    oracle.write_json(os.path.join(directory, "ops.json"), {
        "rms_norm": {"epsilon": 1e-5}, "rope": {"positions": positions, "rotated_heads": 6, "configs": ropes},
        "attention": {"sequence_starts": starts, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "scale": head_dim ** -0.5},
        "policy_loss": cases})


def make_policy_loss_op(given, stored):
    """PolicyLoss as one operation: hidden [11, 16], head [37, 16], mixed rows, several settings."""
    rows, hidden_size, vocabulary = 11, 16, 37
    hidden, head = given("policy_loss.hidden", rows, hidden_size), given("policy_loss.head", vocabulary, hidden_size, scale=0.6)
    generator = torch.Generator().manual_seed(41)
    targets = torch.randint(0, vocabulary, (rows,), generator=generator).tolist()
    # Likely tokens for half of the rows: both ends of the shaping's curve matter.
    best = (hidden @ head.T).argmax(dim=-1).tolist()
    targets = [best[i] if i % 2 else t for i, t in enumerate(targets)]
    off = [i % 3 == 0 for i in range(rows)]
    advantages = [(0.875, -0.5, 0.25, -0.125)[i % 4] for i in range(rows)]
    weights = [0.1, 0.1, 0.05, 0.05, 0.05, 0.25, 0.0, 0.1, 0.1, 0.1, 0.1]
    current = torch.log_softmax(hidden @ head.T, dim=-1)[torch.arange(rows), torch.tensor(targets)].detach().float()
    near = lambda scale: (current + scale * torch.randn(rows, generator=generator)).clamp(max=-1e-3).tolist()
    old, reference = near(0.2), near(0.3)
    cases = []
    for case, settings in [c for c in CASES if c[0] in ("gamma_0.1", "none", "sqrt", "pow_0.7", "logp", "p_logp", "off_bounds", "on_gamma", "clip",
                                                      "max_probability", "entropy", "temperature_0.7", "kl_k1", "kl_k2", "kl_k3", "everything")]:
        s = {**oracle.DEFAULT_SETTINGS, **settings}
        total, statistics = 0.0, {}
        for i in range(rows):
            use_reference = torch.tensor([reference[i]], dtype=torch.float64) if s["beta"] else None
            loss, values = oracle.objective(hidden[i:i + 1] @ head.T, [targets[i]], advantages[i], off[i], weights[i], s,
                                            torch.tensor([old[i]], dtype=torch.float64), None, use_reference)
            total = total + loss
            for key, value in values.items():
                statistics.setdefault(key, []).extend(value)
        stored[f"policy_loss.{case}.d_hidden"], stored[f"policy_loss.{case}.d_head"] = torch.autograd.grad(total, [hidden, head])
        cases.append({"name": case, "settings": settings, "loss": total.item(), "statistics": statistics})
    return {"targets": targets, "off_policy": [int(o) for o in off], "advantages": advantages, "weights": weights,
            "old_logprobs": old, "reference_logprobs": reference, "cases": cases}


def make_ropes(directory):
    """What every form of the rotary settings means for heads of 16 and, where it is not said, a window of 4,096."""
    cases = {}
    for name, settings in ROPES.items():
        config = {"model_type": "llama", "hidden_size": 32, "num_attention_heads": 2, "max_position_embeddings": 4096, **settings}
        frequencies, factor = oracle.rope_frequencies(config)
        cases[name] = {"config": config, "frequencies": frequencies.tolist(), "attention_factor": factor}
    oracle.write_json(os.path.join(directory, "rope.json"), cases)


def check_golden(directory):
    """The published golden vectors, recomputed by this oracle: a check of the oracle itself before anything is written."""
    with open(os.path.join(directory, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    for case in golden["cases"]:
        s = {**oracle.DEFAULT_SETTINGS, **case["settings"]}
        total, tokens, gradients = 0.0, sum(sum(r) for r in golden["mask"]), []
        for p, p_old, mask, off, advantage in zip(golden["p"], golden["p_old"], golden["mask"], golden["off_policy"], golden["advantages"]):
            logp = torch.tensor(p, dtype=torch.float64).log().requires_grad_(True)
            loss, _, _ = oracle.policy_term(logp, advantage, bool(off), s, torch.tensor(p_old, dtype=torch.float64).log())
            loss = (loss * torch.tensor(mask)).sum() * (1 / tokens if case["normalizer"] == "tokens" else 1 / 4)
            gradients.append(torch.autograd.grad(loss, logp)[0].tolist())
            total += loss.item()
        assert abs(total - case["loss"]) < 1e-6, (case["name"], total, case["loss"])
        assert all(abs(a - b) < 1e-9 for a, b in zip(gradients[3], case["d_loss_d_logp_row_3"])), (case["name"], gradients[3])
        if "d_loss_d_logp_row_0" in case:
            assert all(abs(a - b) < 1e-9 for a, b in zip(gradients[0], case["d_loss_d_logp_row_0"])), (case["name"], gradients[0])


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
    directory = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(directory, exist_ok=True)
    torch.set_num_threads(1)
    check_golden(directory if os.path.exists(os.path.join(directory, "golden.json")) else default)
    for name in MODELS:
        make_model(name, directory)
    make_adamw(directory)
    make_ops(directory)
    make_ropes(directory)
    print(f"fixtures written to {directory} with torch {torch.__version__}")


if __name__ == "__main__":
    main()
