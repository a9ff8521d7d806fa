"""The PyTorch side of eng/parity-torch.sh. All paths are inside FOLDER.

    parity.py make FOLDER       random Qwen2, Llama and Qwen3 checkpoints, sequences to score, a batch to replay, and the lists of settings
    parity.py answer FOLDER     answers in the engine's place, in float32: proves the comparison and shows what float32 can reach
    parity.py compare FOLDER DTYPE    compares answers in f32 or bf16 with float64; a table, and exit code 1 where anything is beyond its limit

FOLDER/MODEL/{config.json, model.safetensors, ids.jsonl, batch.jsonl} are made; the engine (or `answer`) adds FOLDER/MODEL/scores.jsonl
and, for each line "NAME<tab>key=value key=value…" of FOLDER/MODEL/settings.txt, FOLDER/MODEL/NAME.json and FOLDER/MODEL/NAME.safetensors.
"""
import json
import math
import os
import sys

import torch

import luffy_oracle as oracle

# Of log-probs the mean and the largest difference, of gradients the relative one of the worst tensor, of the loss the relative one. Those of
# bf16, with 8 bits to a number, are about twice what the cpu backend shows; a wrong term shows more.
LIMITS = {"f32": (1e-5, 1e-4, 1e-4, 1e-4), "bf16": (5e-2, 3e-1, 1.5e-1, 3e-2)}

# Of bf16 and weights as they are initialised: the mean of how far a token's probability is off, as a fraction of it.
RATIO_LIMIT = 0.01

COMMON = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 512, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float32"}
MODELS = {
    # Odd sizes on purpose: none of them a multiple of a vector register or a tile.
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "hidden_size": 120, "num_hidden_layers": 3,
              "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 204, "vocab_size": 611, "rope_theta": 1000000.0,
              "tie_word_embeddings": True},
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "hidden_size": 96, "num_hidden_layers": 4,
              "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 16, "intermediate_size": 260, "vocab_size": 1003, "rope_theta": 500000.0,
              "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False,
              "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 128}},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **COMMON, "hidden_size": 88, "num_hidden_layers": 3,
              "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 24, "intermediate_size": 172, "vocab_size": 523,
              "rope_theta": 1000000.0, "rope_scaling": None, "tie_word_embeddings": True, "attention_bias": False, "use_sliding_window": False},
    # Longer contexts than those that they were first trained on, so that the sequences to score reach beyond.
    "yarn": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "hidden_size": 64, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 132, "vocab_size": 307, "rope_theta": 10000.0,
             "tie_word_embeddings": False, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}},
    "linear": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "hidden_size": 64, "num_hidden_layers": 2,
               "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 132, "vocab_size": 307, "tie_word_embeddings": False,
               "rope_scaling": {"type": "linear", "factor": 2.0}},
}
# All settings for two architectures; two settings tell the gradients of the others.
EVERY_SETTING, FEW_SETTINGS = ("qwen2", "llama"), ("gamma_0.1", "everything")
# The same architectures with weights as Transformers initialises them (N(0, 0.02²)), for log-probs alone: those above are so wide that one
# rounding to bf16 moves a log-prob by percents, and PyTorch's own in bf16 as far.
FRESH = {f"{name}-fresh": name for name in ("qwen2", "llama", "qwen3")}
# Every key is given each time: the comparison does not lean on anybody's defaults.
PLAIN = {"off_policy_reshape": "p_div_p_gamma", "off_policy_gamma": 0.1, "off_policy_exponent": 0.5, "off_policy_logp_weight": 1.0,
         "on_policy_reshape": "none", "clip": False, "epsilon": 0.2, "epsilon_high": 0.2, "entropy_coef": 0.0, "loss_normalizer": "tokens",
         "max_completion_length": 64, "temperature": 1.0, "beta": 0.0, "kl_estimator": "k3", "off_policy_uniform": 1.0, "behavior_reshape": "none",
         "behavior_gamma": 0.1, "importance_sampling_level": "token"}
SETTINGS = {
    "gamma_0.1": {}, "gamma_0.3": {"off_policy_gamma": 0.3}, "none": {"off_policy_reshape": "none"}, "sqrt": {"off_policy_reshape": "sqrt"},
    "pow_0.7": {"off_policy_reshape": "pow", "off_policy_exponent": 0.7}, "logp": {"off_policy_reshape": "logp"},
    "p_logp_0.3": {"off_policy_reshape": "p_logp", "off_policy_logp_weight": 0.3},
    "on_gamma": {"on_policy_reshape": "p_div_p_gamma"}, "on_sqrt": {"on_policy_reshape": "sqrt"}, "on_pow": {"on_policy_reshape": "pow"},
    "on_logp": {"on_policy_reshape": "logp"}, "on_p_logp": {"on_policy_reshape": "p_logp"},
    "trust_region": {"off_policy_reshape": "trust_region"}, "p_one_minus_p": {"off_policy_reshape": "p_one_minus_p"},
    "rl_plus": {"off_policy_reshape": "rl_plus"}, "rl_plus_u0.01": {"off_policy_reshape": "rl_plus", "off_policy_uniform": 0.01, "off_policy_exponent": 2.0},
    "exgrpo": {"behavior_reshape": "p_div_p_gamma"}, "cispo": {"on_policy_reshape": "cispo", "epsilon": 0.1, "epsilon_high": 0.15},
    "gspo": {"importance_sampling_level": "sequence", "clip": True, "epsilon": 0.01, "epsilon_high": 0.02, "loss_normalizer": "sequences"},
    "clip": {"clip": True, "epsilon": 0.1, "epsilon_high": 0.15}, "entropy": {"entropy_coef": 0.01}, "temperature": {"temperature": 0.7},
    "kl_k1": {"beta": 0.05, "kl_estimator": "k1"}, "kl_k2": {"beta": 0.05, "kl_estimator": "k2"}, "kl_k3": {"beta": 0.05, "kl_estimator": "k3"},
    "max_length": {"loss_normalizer": "max_length"}, "sequences": {"loss_normalizer": "sequences"}, "sum": {"loss_normalizer": "sum"},
    "everything": {"off_policy_gamma": 0.3, "clip": True, "epsilon": 0.1, "epsilon_high": 0.15, "entropy_coef": 0.01, "temperature": 0.7,
                   "loss_normalizer": "sequences", "beta": 0.05},
}


def asked_settings(path):
    with open(os.path.join(path, "settings.txt"), encoding="utf-8") as file:
        return {line.split("\t")[0]: SETTINGS[line.split("\t")[0]] for line in file}


def spelled(settings):
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()]


def all_models():
    """Name -> config, spread of matrices, spread of embeddings and head."""
    wide = {name: (config, 1 / math.sqrt(config["hidden_size"]), 0.25) for name, config in MODELS.items()}
    return {**wide, **{fresh: (MODELS[name], 0.02, 0.02) for fresh, name in FRESH.items()}}


def make(folder):
    with open(os.path.join(folder, "models.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in (*MODELS, *FRESH))
    for seed, (name, (config, spread, embedding_spread)) in enumerate(all_models().items()):
        generator = torch.Generator().manual_seed(100 + seed)
        parameters = oracle.random_parameters(config, seed, spread=spread, embedding_spread=embedding_spread)
        path = os.path.join(folder, name)
        oracle.save_model(path, config, parameters)
        asked = SETTINGS if name in EVERY_SETTING else {} if name in FRESH else {s: SETTINGS[s] for s in FEW_SETTINGS}
        with open(os.path.join(path, "settings.txt"), "w", encoding="utf-8") as file:
            file.writelines(f"{setting}\t{' '.join(spelled({**PLAIN, **changes}))}\n" for setting, changes in asked.items())
        pick = lambda n: torch.randint(0, config["vocab_size"], (n,), generator=generator).tolist()
        oracle.write_jsonl(os.path.join(path, "ids.jsonl"), [{"ids": pick(n)} for n in (2, 3, 17, 64, 65, 130, 257)])
        rows = []
        double = {k: v.double() for k, v in parameters.items()}
        for i, (prompt, response, source, advantage) in enumerate([(9, 40, "on", 0.5), (9, 21, "on", -0.5), (9, 33, "off", 0.5), (1, 1, "on", 0.875),
                                                                   (30, 50, "on", -0.125), (30, 64, "off", 0.875), (5, 12, "on", -0.25),
                                                                   (7, 30, "off", 0.5)]):
            ids = pick(prompt + response)
            with torch.no_grad():
                # Demonstrations and samples hold likely tokens too: every other one is the model's favourite.
                for t in range(prompt, prompt + response):
                    if t % 2:
                        ids[t] = oracle.forward(double, config, ids[:t])[-1].argmax().item()
                current = oracle.next_token_logprobs(double, config, ids)[prompt - 1:]
            row = {"ids": ids, "prompt_length": prompt, "source": source, "advantage": advantage}
            if source == "on" and i != 4:
                row["old_logprobs"] = (current + 0.15 * torch.randn(response, generator=generator)).clamp(max=-1e-4).float().tolist()
            if i == 5:
                row["old_logprobs"] = (current + 0.3 * torch.randn(response, generator=generator)).clamp(max=-1e-4).float().tolist()
            if i == 7:
                row["behavior_logprobs"] = (current + 0.5 * torch.randn(response, generator=generator)).clamp(max=-1e-4).float().tolist()
            row["reference_logprobs"] = (current + 0.3 * torch.randn(response, generator=generator)).clamp(max=-1e-4).float().tolist()
            rows.append(row)
        oracle.write_jsonl(os.path.join(path, "batch.jsonl"), rows)


def answer(folder):
    for name in all_models():
        path = os.path.join(folder, name)
        config, parameters = oracle.load_model(path)
        with torch.no_grad():
            oracle.write_jsonl(os.path.join(path, "scores.jsonl"), [
                {"logprobs": oracle.next_token_logprobs(parameters, config, row["ids"]).tolist()}
                for row in oracle.read_jsonl(os.path.join(path, "ids.jsonl"))])
        rows = oracle.read_jsonl(os.path.join(path, "batch.jsonl"))
        for setting, changes in asked_settings(path).items():
            loss, _, gradients = oracle.loss_and_gradients(parameters, config, rows, {**PLAIN, **changes}, torch.float32)
            oracle.write_json(os.path.join(path, f"{setting}.json"), {"loss": loss})
            oracle.save_safetensors(os.path.join(path, f"{setting}.safetensors"), gradients)


def compare(folder, dtype):
    failed = False
    mean_limit, largest_limit, gradient_limit, loss_limit = LIMITS[dtype]

    def verdict(good):
        nonlocal failed
        failed |= not good
        return "ok" if good else "FAILED"

    for name in all_models():
        path = os.path.join(folder, name)
        config, parameters = oracle.load_model(path)
        if dtype == "bf16":
            parameters = {k: v.bfloat16().float() for k, v in parameters.items()}
        double = {k: v.double() for k, v in parameters.items()}
        narrow = {k: v.bfloat16() for k, v in parameters.items()}
        differences, from_narrow, of_narrow = [], [], []
        asked, answered = (oracle.read_jsonl(os.path.join(path, f)) for f in ("ids.jsonl", "scores.jsonl"))
        if len(asked) != len(answered):
            sys.exit(f"{path}/scores.jsonl has {len(answered)} lines, expected {len(asked)}")
        with torch.no_grad():
            for question, reply in zip(asked, answered):
                expected = oracle.next_token_logprobs(double, config, question["ids"]).tolist()
                if len(expected) != len(reply["logprobs"]):
                    sys.exit(f"{path}/scores.jsonl has {len(reply['logprobs'])} log-probs for {len(question['ids'])} ids")
                differences += [abs(a - b) for a, b in zip(expected, reply["logprobs"])]
                if dtype == "bf16":
                    peer = oracle.next_token_logprobs(narrow, config, question["ids"]).tolist()
                    from_narrow += [abs(math.expm1(a - b)) for a, b in zip(peer, reply["logprobs"])]
                    of_narrow += [abs(a - b) for a, b in zip(expected, peer)]
        mean, largest = sum(differences) / len(differences), max(differences)
        good = mean <= mean_limit and largest <= largest_limit  # a NaN fails both
        print(f"{name:11} score               mean |d| {mean:.1e}  max |d| {largest:.1e}  over {len(differences)} log-probs  {verdict(good)}")
        if dtype == "bf16":
            ratio, beside, peers = (sum(d) / len(d) for d in ([math.expm1(d) for d in differences], from_narrow, of_narrow))
            # Of the wide models it is asked that they be no further off than PyTorch in bf16 is.
            good = max(ratio, beside) <= RATIO_LIMIT if name in FRESH else mean <= 1.25 * peers
            print(f"{name:11} score               mean |e^d - 1| {ratio:.2%}, from PyTorch in bf16 {beside:.2%}, whose own mean |d| is {peers:.1e}  {verdict(good)}")

        rows = oracle.read_jsonl(os.path.join(path, "batch.jsonl"))
        for setting, changes in asked_settings(path).items():
            loss, _, gradients = oracle.loss_and_gradients(parameters, config, rows, {**PLAIN, **changes})
            with open(os.path.join(path, f"{setting}.json"), encoding="utf-8") as file:
                loss_error = abs(json.load(file)["loss"] - loss) / max(abs(loss), 1e-3)
            found = oracle.load_safetensors(os.path.join(path, f"{setting}.safetensors"))
            if set(found) != set(gradients):
                sys.exit(f"{path}/{setting}.safetensors: other tensors than the checkpoint's: {sorted(set(found) ^ set(gradients))[:4]}")
            errors = {k: ((found[k].double() - g).norm() / g.norm()).item() for k, g in gradients.items()}
            worst = max(errors, key=lambda k: (math.isnan(errors[k]), errors[k]))
            good = errors[worst] <= gradient_limit and loss_error <= loss_limit
            print(f"{name:11} replay {setting:12} loss {loss_error:.1e}  worst gradient {errors[worst]:.1e} in {worst}  {verdict(good)}")
    print("parity with PyTorch: " + ("FAILED" if failed else "ok"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    steps = {"make": (make, 1), "answer": (answer, 1), "compare": (compare, 2)}
    name, arguments = sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]
    if name not in steps or len(arguments) != steps[name][1] or (name == "compare" and arguments[1] not in LIMITS):
        sys.exit(__doc__)
    # The tensors are small: threads would only wait for each other.
    torch.set_num_threads(1)
    steps[name][0](*arguments)
