"""The Python side of eng/parity-llama.sh, which needs nothing beside Python.

    gguf_parity.py make NAME TOKENIZER FOLDER      a random checkpoint NAME (of MODELS) with a tokenizer directory's vocabulary
    gguf_parity.py text DATA FOLDER TOKENS         questions and answers of GSM8K's file, one after another, as text.txt and text.jsonl
    gguf_parity.py samples ROLLOUTS FOLDER         samples.jsonl, the texts of a run's sampled rows
    gguf_parity.py chunks FOLDER CONTEXT CHUNKS    ids.jsonl of tokenized.jsonl, cut as llama-perplexity cuts them
    gguf_parity.py tokens FOLDER                   holds llama-tokenize's ids (llama-ids.txt) against luffy's (tokenized.jsonl)
    gguf_parity.py stored FOLDER FILE OUT          the matrices of a GGUF file, widened, as a checkpoint OUT beside FOLDER's other files
    gguf_parity.py compare NAME FOLDER LIMIT       exp of the mean of scores.jsonl against llama-perplexity's last line (perplexity.txt)
"""
import array
import json
import math
import os
import random
import re
import shutil
import statistics
import struct
import sys

COMMON = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 1024, "torch_dtype": "float32", "hidden_size": 64,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 151936}
MODELS = {
    "qwen2": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "rope_theta": 1000000.0, "tie_word_embeddings": True,
              "bos_token_id": 151643, "eos_token_id": 151645},
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "head_dim": 32, "rope_theta": 500000.0,
              "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "bos_token_id": 151643, "eos_token_id": 151645,
              "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 128}},
    # To be trained: its weights are small.
    "trained": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "rope_theta": 10000.0, "tie_word_embeddings": True,
                "bos_token_id": 151643, "eos_token_id": 151645},
    # Contexts twice as long as those of the first training.
    "yarn": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **COMMON, "rope_theta": 10000.0, "tie_word_embeddings": True,
             "bos_token_id": 151643, "eos_token_id": 151645,
             "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}},
    "linear": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **COMMON, "rope_theta": 10000.0, "tie_word_embeddings": True,
               "bos_token_id": 151643, "eos_token_id": 151645, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **COMMON, "head_dim": 32, "rope_theta": 1000000.0,
              "tie_word_embeddings": True, "attention_bias": False, "bos_token_id": 151643, "eos_token_id": 151645},
}


def normal(generator, count, deviation):
    """Numbers from N(0, deviation²), of 65,536 different values: quick, and as good as any to tell a wrong product."""
    quantile = statistics.NormalDist(0, deviation).inv_cdf
    table = [quantile((i + 0.5) / 65536) for i in range(65536)]
    return array.array("f", map(table.__getitem__, array.array("H", generator.randbytes(2 * count))))


def tensors(c):
    """Names, shapes and deviations; log-probs then differ from token to token by several nats, and attention looks at few tokens."""
    h, i, v, d = c["hidden_size"], c["intermediate_size"], c["vocab_size"], c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])
    q, kv = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
    yield "model.embed_tokens.weight", (v, h), 0.25
    yield "model.norm.weight", (h,), None
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (v, h), 0.25
    for n in range(c["num_hidden_layers"]):
        p = f"model.layers.{n}."
        yield p + "input_layernorm.weight", (h,), None
        yield p + "post_attention_layernorm.weight", (h,), None
        for name, shape in (("q", (q, h)), ("k", (kv, h)), ("v", (kv, h)), ("o", (h, q))):
            yield f"{p}self_attn.{name}_proj.weight", shape, 1.2 / math.sqrt(shape[1])
            if c["model_type"] == "qwen2" and name != "o":
                yield f"{p}self_attn.{name}_proj.bias", shape[:1], 0.5
        if c["model_type"] == "qwen3":
            yield p + "self_attn.q_norm.weight", (d,), None
            yield p + "self_attn.k_norm.weight", (d,), None
        for name, shape in (("gate", (i, h)), ("up", (i, h)), ("down", (h, i))):
            yield f"{p}mlp.{name}_proj.weight", shape, 1 / math.sqrt(shape[1])


def save(folder, parts):
    """safetensors in f32, of (name, shape, numbers)."""
    header, offset = {}, 0
    for name, shape, values in parts:
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + 4 * len(values)]}
        offset += 4 * len(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, values in parts:
            values.tofile(file)


def make(name, tokenizer, folder):
    os.makedirs(folder, exist_ok=True)
    config, generator, parts = MODELS[name], random.Random(7), []
    for tensor, shape, deviation in tensors(config):
        values = normal(generator, math.prod(shape), (deviation or 0.2) * (0.1 if name == "trained" else 1))
        parts.append((tensor, shape, values if deviation else array.array("f", (1 + x for x in values))))
    save(folder, parts)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    for part in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(tokenizer, part), folder)
    if name == "llama":
        with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
            as_llama(folder, json.load(file))


def as_llama(folder, tokenizer):
    """Llama 3 cuts numbers in threes, takes whole words as they are, and puts a token before every text."""
    split = tokenizer["pre_tokenizer"]["pretokenizers"][0]
    split["pattern"]["Regex"] = split["pattern"]["Regex"].replace(r"|\p{N}|", r"|\p{N}{1,3}|")
    tokenizer["normalizer"] = None
    tokenizer["model"]["ignore_merges"] = True
    begin = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    tokenizer["post_processor"] = {"type": "TemplateProcessing", "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
                                   "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                                   "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [151643], "tokens": ["<|endoftext|>"]}}}
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False)


def text(data, folder, letters):
    os.makedirs(folder, exist_ok=True)
    pieces = []
    with open(data, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            pieces.append(row["question"] + "\n" + row["answer"] if "question" in row else row["text"])
            letters -= len(pieces[-1])
            if letters <= 0:
                break
    # No newline at the end: llama.cpp takes one away.
    joined = "\n\n".join(pieces).strip()
    with open(os.path.join(folder, "text.txt"), "w", encoding="utf-8", newline="") as file:
        file.write(joined)
    with open(os.path.join(folder, "text.jsonl"), "w", encoding="utf-8") as file:
        json.dump({"text": joined}, file, ensure_ascii=False)


def samples(rollouts, folder):
    """What a run sampled, without special tokens: llama-perplexity looks for them in no text."""
    with open(rollouts, encoding="utf-8") as file, open(os.path.join(folder, "samples.jsonl"), "w", encoding="utf-8") as out:
        for row in map(json.loads, file):
            if row["source"] == "on":
                print(json.dumps({"text": re.sub("<[|].*?[|]>", "", row["prompt"] + row["text"])}), file=out)


def luffy_ids(folder):
    """Luffy's ids of the text, after the token that llama.cpp puts before it where the tokenizer says so."""
    with open(os.path.join(folder, "tokenized.jsonl"), encoding="utf-8") as file:
        ids = json.load(file)["ids"]
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
        begin = (json.load(file)["post_processor"] or {}).get("type") == "TemplateProcessing"
    return ([151643] if begin else []) + ids, begin


def chunks(folder, context, count):
    ids, begin = luffy_ids(folder)
    count = min(count, len(ids) // context)
    if count < 2:
        sys.exit(f"gguf_parity.py: {len(ids)} ids are fewer than two chunks of {context}")
    with open(os.path.join(folder, "ids.jsonl"), "w", encoding="utf-8") as file:
        for i in range(count):
            chunk = ids[i * context:(i + 1) * context]
            if begin:
                chunk[0] = 151643
            print(json.dumps({"ids": chunk}), file=file)


def tokens(folder):
    ids, _ = luffy_ids(folder)
    with open(os.path.join(folder, "llama-ids.txt"), encoding="utf-8") as file:
        theirs = json.loads(file.read().strip().splitlines()[-1])
    wrong = next((i for i in range(max(len(ids), len(theirs))) if ids[i:i + 1] != theirs[i:i + 1]), None)
    if wrong is not None:
        sys.exit(f"FAILED  {folder}: llama.cpp's ids differ from luffy's at {wrong}: {theirs[wrong:wrong + 8]} against {ids[wrong:wrong + 8]}")
    print(f"ok      {os.path.basename(folder):8} {len(ids)} ids are llama-tokenize's")


SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def read_gguf(path):
    """Tensors of a GGUF file: name to (shape, numbers); f32 and q8_0 alone."""
    with open(path, "rb") as file:
        data = file.read()
    at = 24
    count, pairs = struct.unpack_from("<QQ", data, 8)

    def string():
        nonlocal at
        length = struct.unpack_from("<Q", data, at)[0]
        at += 8 + length
        return data[at - length:at].decode()

    def skip(kind):
        nonlocal at
        if kind == 8:
            string()
        elif kind == 9:
            inner, length = struct.unpack_from("<IQ", data, at)
            at += 12
            if inner in SIZES:
                at += SIZES[inner] * length
            else:
                for _ in range(length):
                    skip(inner)
        else:
            at += SIZES[kind]

    for _ in range(pairs):
        string()
        at += 4
        skip(struct.unpack_from("<I", data, at - 4)[0])
    entries = []
    for _ in range(count):
        name = string()
        dimensions = struct.unpack_from("<I", data, at)[0]
        shape = struct.unpack_from(f"<{dimensions}Q", data, at + 4)[::-1]
        kind, offset = struct.unpack_from("<IQ", data, at + 4 + 8 * dimensions)
        at += 16 + 8 * dimensions
        entries.append((name, shape, kind, offset))
    base = (at + 31) // 32 * 32
    for name, shape, kind, offset in entries:
        elements, begin = math.prod(shape), base + offset
        if kind == 0:
            yield name, shape, array.array("f", data[begin:begin + 4 * elements])
        else:
            values = array.array("f")
            for scale, *quants in struct.iter_unpack("<e32b", data[begin:begin + elements // 32 * 34]):
                values.extend([scale * q for q in quants])
            yield name, shape, values


def stored(folder, path, out):
    names = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head", "attn_norm": "input_layernorm",
             "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    os.makedirs(out, exist_ok=True)
    parts = []
    for name, shape, values in read_gguf(path):
        *layer, module, kind = name.split(".")
        prefix = f"model.layers.{layer[1]}." if layer else ""
        parts.append((f"{prefix}{names[module]}.{kind}", shape, values))
    save(out, parts)
    shutil.copy(os.path.join(folder, "config.json"), out)


def compare(name, folder, limit):
    with open(os.path.join(folder, "perplexity.txt"), encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if "Final estimate: PPL" in line]
    if not lines:
        sys.exit(f"FAILED  {name}: llama-perplexity came to no result; see {folder}/perplexity.txt")
    theirs = float(lines[-1].split("PPL =")[1].split()[0])
    total, count = 0.0, 0
    with open(os.path.join(folder, "scores.jsonl"), encoding="utf-8") as file:
        for line in file:
            scores = json.loads(line)["logprobs"]
            # The first half of a chunk is context alone. The score of ids[t] is entry t − 1.
            half = (len(scores) + 1) // 2
            total += math.fsum(scores[half:])
            count += len(scores) - half
    ours = math.exp(-total / count)
    difference = theirs / ours - 1
    good = abs(difference) <= limit
    print(f"{'ok     ' if good else 'FAILED '} {name:24} perplexity {ours:.4f}, llama.cpp {theirs:.4f}: {difference:+.4%} (at most {limit:.2%}) over {count} tokens")
    if not good:
        sys.exit(1)


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    {"make": make, "text": lambda d, f, n: text(d, f, int(n)), "chunks": lambda f, c, n: chunks(f, int(c), int(n)), "tokens": tokens, "samples": samples, "stored": stored,
     "compare": lambda n, f, limit: compare(n, f, float(limit))}[command](*arguments)
