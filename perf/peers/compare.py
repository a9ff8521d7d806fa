#!/usr/bin/env python3
"""Runs luffy and its peers alternately on this machine and prints medians and ratios as Markdown.

Each round runs ours, then the peer's, so that whatever else the machine does falls on both; a figure is the median of its rounds, and a
ratio is the ratio of two such medians: above 1 ours is faster. Needs root (chroot), the folders that setup.sh made, and a quiet machine.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
SIZES = ["tiny", "small", "qwen0.5b"]
BATCHES = [1, 16, 64]


def run(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


class Peers:
    def __init__(self, options):
        self.options = options
        self.prepared = set()

    def luffy(self, *arguments):
        return json.loads(run([self.options.luffy, "bench", *arguments, "--threads", str(self.options.threads), "--json"]))

    def torch(self, *arguments, text=None):
        folder = self.options.torch
        shutil.copy(os.path.join(ROOT, "perf", "peers", "torch_peer.py"), os.path.join(folder, "luffy_torch_peer.py"))
        return run(["chroot", folder, "env", f"OMP_NUM_THREADS={self.options.threads}", "python3", "/luffy_torch_peer.py", *arguments], text)

    def llama(self, program, size, *arguments):
        model = os.path.join(self.options.llama, f"luffy-{size}.gguf")
        if not os.path.exists(model):
            self.torch("gguf", size, "/luffy-peer.gguf")
            shutil.move(os.path.join(self.options.torch, "luffy-peer.gguf"), model)
        return run(["chroot", self.options.llama, program, "-m", f"/luffy-{size}.gguf", "-t", str(self.options.threads), *arguments])


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def table(*rows):
    head, *body = rows
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in body:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def gemm(peers, options):
    """Products of linear layers against torch.matmul."""
    ours, theirs, peak = {}, {}, {}
    for _ in range(options.rounds):
        report = peers.luffy("kernels", "--filter", "linear", "--repeat", "5")
        for dtype, value in report["peak_gflops"].items():
            peak.setdefault(dtype, []).append(value)
        cases = []
        for kernel in report["kernels"]:
            shape = [int(d) for d in kernel["shape"].split("×")]
            # Fewer rows than that are decoding, which the peer for is llama.cpp.
            if shape[0] >= 256:
                cases.append((kernel["dtype"], kernel["kind"], tuple(shape)))
                ours.setdefault(cases[-1], []).append(kernel["seconds"])
        text = "".join(json.dumps({"dtype": d, "kind": k, "shape": s}) + "\n" for d, k, s in cases)
        for case, line in zip(cases, peers.torch("gemm", text=text).splitlines(), strict=True):
            theirs.setdefault(case, []).append(json.loads(line)["seconds"])
    rows, summary = [], []
    for dtype in peak:
        limit, ratios, shares = statistics.median(peak[dtype]), [], {}
        for case in (c for c in ours if c[0] == dtype):
            _, kind, shape = case
            operations = 2e-9 * math.prod(shape)
            our, their = (operations / statistics.median(values[case]) for values in (ours, theirs))
            ratios.append(our / their)
            shares.setdefault("all", []).append(our / limit)
            shares.setdefault(kind, []).append(our / limit)
            rows.append([kind, "×".join(map(str, shape)), dtype, number(our), f"{our / limit:.0%}", number(their), f"{our / their:.2f}"])
        summary.append([dtype, number(limit), f"{geometric_mean(ratios):.2f}", *(f"{geometric_mean(shares[k]):.0%}" for k in
                                                                                ("all", "forward", "backward input", "backward weight"))])
    print("## Products of linear layers\n\nGFLOP/s; a shape is tokens × outputs × inputs.\n")
    table(["product", "shape", "storage", "luffy", "of peak", "PyTorch", "ratio"], *rows)
    print("Geometric means:\n")
    table(["storage", "measured peak", "ratio to PyTorch", "of peak", "forward", "backward input", "backward weight"], *summary)


def train(peers, options):
    """Whole optimiser steps against PyTorch."""
    rows, ratios = [], []
    for size in options.sizes:
        ours, theirs = [], []
        repeat = "2" if size == "qwen0.5b" else "3"
        for _ in range(options.rounds):
            ours.append(peers.luffy("train", "--size", size, "--dtype", "bf16", "--gradient-dtype", options.gradient_dtype, "--repeat", repeat))
            theirs.append(json.loads(peers.torch("step", size, "bf16", repeat)))
        our = statistics.median(s for r in ours for s in r["seconds"])
        their = statistics.median(s for r in theirs for s in r["seconds"])
        tokens = ours[0]["tokens"]
        gflops = 6e-9 * ours[0]["parameters"] * tokens / our
        memory = [statistics.median(r["peak_memory_bytes"] for r in reports) / 2**30 for reports in (ours, theirs)]
        ratios.append(their / our)
        rows.append([size, number(tokens / our), f"{gflops / statistics.median(r['peak_gflops'] for r in ours):.0%}", number(tokens / their),
                     f"{their / our:.2f}", f"{memory[0]:.2f}", f"{memory[1]:.2f}", f"{memory[0] / memory[1]:.0%}"])
    print("## Training step\n\nTokens/s of forward, LUFFY loss, backward, clip and AdamW in bf16; share of the measured peak by 6 operations for each "
          "parameter and token; peak resident memory in GiB.\n")
    table(["size", "luffy", "of peak", "PyTorch", "ratio", "memory, luffy", "memory, PyTorch", "share"], *rows)
    print(f"Geometric mean of the ratios: {geometric_mean(ratios):.2f}\n")


def generate(peers, options):
    """Prefill and decoding against llama.cpp."""
    rows, ratios = [], {}
    for size in options.sizes:
        ours, theirs, bandwidth = {}, {}, []
        for _ in range(options.rounds):
            ours.setdefault("prefill 512", []).append(peers.luffy("prefill", "--size", size, "--dtype", "bf16", "--prompt", "512")["tokens_per_second"])
            prefill = json.loads(peers.llama("llama-bench", size, "-p", "512", "-n", "0", "-r", "3", "-o", "json"))[0]
            theirs.setdefault("prefill 512", []).append(statistics.median(512e9 / ns for ns in prefill["samples_ns"]))
            for batch in BATCHES:
                name = f"decode ×{batch}"
                report = peers.luffy("rollout", "--size", size, "--dtype", "bf16", "--batch", str(batch), "--prompt", "64", "--new", "64")
                ours.setdefault(name, []).append(report["tokens_per_second"])
                if batch == 1:
                    bandwidth.append(report["percent_of_bandwidth"])
                lines = peers.llama("llama-batched-bench", size, "-c", "16384", "-b", "2048", "-npp", "64", "-ntg", "64", "-npl", str(batch),
                                    "--output-format", "jsonl").splitlines()
                theirs.setdefault(name, []).append(next(json.loads(line)["speed_tg"] for line in lines if line.startswith("{")))
        for name in ours:
            our, their = statistics.median(ours[name]), statistics.median(theirs[name])
            ratios.setdefault(name, []).append(our / their)
            share = f"{statistics.median(bandwidth):.0f}%" if name == "decode ×1" else ""
            rows.append([size, name, number(our), number(their), f"{our / their:.2f}", share])
    print("## Generation\n\nTokens/s in bf16; decoding of distinct prompts of 64 tokens with 64 new tokens each; share of the measured read bandwidth.\n")
    table(["size", "what", "luffy", "llama.cpp", "ratio", "of bandwidth"], *rows)
    print("Geometric means of the ratios:\n")
    table(list(ratios), [f"{geometric_mean(r):.2f}" for r in ratios.values()])


def context(peers, options):
    """How the cost of a training step grows with the context, beside what the arithmetic predicts from 512."""
    lengths, seconds, shape = [512, 1024, 2048, 4096, 8192], {}, {}
    for _ in range(options.rounds):
        for length in lengths:
            report = peers.luffy("train", "--size", "small", "--dtype", "bf16", "--length", str(length), "--repeat", "3")
            seconds.setdefault(length, []).append(statistics.median(report["seconds"]) / report["tokens"])
            shape[length] = report
    hidden, layers = 512, 12
    # Multiply-adds of a token: 6 for each parameter, and of attention's causal half 2 forward and 5 backward products of length / 2 × hidden.
    count = lambda length: 6 * shape[length]["parameters"] + 7 * length * hidden * layers
    first = statistics.median(seconds[512])
    rows = []
    for length in lengths:
        measured, predicted = 1 / statistics.median(seconds[length]), count(512) / count(length) / first
        rows.append([length, shape[length]["rows"], number(measured), number(predicted), f"{measured / predicted:.0%}", f"{shape[length]['peak_memory_bytes'] / 2**30:.2f}"])
    print("## Context\n\nTraining step of the size small: tokens/s measured, and predicted from 512 by the arithmetic count; peak memory in GiB.\n")
    table(["length", "rows", "tokens/s", "predicted", "of it", "memory"], *rows)


PARTS = {"gemm": gemm, "train": train, "generate": generate, "context": context}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", required=True, metavar="FOLDER", help="where setup.sh put PyTorch")
    parser.add_argument("--llama", metavar="FOLDER", help="where setup.sh put llama.cpp; needed by generate")
    parser.add_argument("--luffy", default=os.path.join(ROOT, "luffy"), help="the program; ./luffy builds itself first")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gradient-dtype", choices=["f32", "bf16"], default="f32", help="of luffy's training step")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    if "generate" in options.parts and not options.llama:
        parser.error("generate needs --llama")
    peers = Peers(options)
    # Builds what is missing before anything is timed.
    device = peers.luffy("kernels", "--filter", "squared norm", "--dtype", "f32")["device"]
    versions = [peers.torch("version").strip()]
    if options.llama:
        versions.append("llama.cpp " + run(["chroot", options.llama, "dpkg-query", "-W", "-f", "${Version}", "llama.cpp"]).strip())
    print(f"{device}; {', '.join(versions)}; {options.rounds} rounds; `{' '.join(['perf/peers/compare.py', *sys.argv[1:]])}`\n")
    for part in options.parts:
        PARTS[part](peers, options)


if __name__ == "__main__":
    main()
