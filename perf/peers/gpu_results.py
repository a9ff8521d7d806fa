#!/usr/bin/env python3
"""Prints what eng/gpu-check.sh measured, as Markdown.

    gpu_results.py [--backend NAME] RESULTS     tables for a file of perf/results: ceilings, operations, whole models, and bars (cuda)
    gpu_results.py --table RESULTS              the bars alone: what must be reached, beside PyTorch on the same card

RESULTS is results.tar.gz, or the folder that it was unpacked to. Rates are held against ceilings that were measured in the same run;
shares above all of them mean that a cache answered.
"""
import argparse
import fnmatch
import json
import os
import statistics
import tarfile

from compare import number, table


def read(path):
    """What is in an archive, or in a folder that it was unpacked to: text by name, as cuda/kernels-rope-bf16.json."""
    files = {}
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            for name in names:
                if name.endswith((".json", ".txt")):
                    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                        files[os.path.relpath(os.path.join(folder, name), path)] = file.read()
        return files
    with tarfile.open(path) as archive:
        return {m.name.partition("/")[2]: archive.extractfile(m).read().decode(errors="replace")
                for m in archive if m.isfile() and m.name.endswith((".json", ".txt"))}


def parsed(text):
    """The JSON of a step that came to its end; None of another."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def reports(files, pattern):
    found = (parsed(files[name]) for name in sorted(fnmatch.filter(files, pattern)))
    return [report for report in found if report is not None]


def ceilings(kernels, peers):
    """One median for each ceiling over the processes that measured it, GFLOP/s and GB/s; a row for each, and the other opinion."""
    measured = {}
    for report in kernels:
        for dtype, value in report["peak_gflops"].items():
            measured.setdefault(dtype, []).append(value)
        measured.setdefault("read", []).append(report["bandwidth_gigabytes_per_second"])
    limits = {name: statistics.median(v for v in values if v is not None) for name, values in measured.items() if any(v is not None for v in values)}
    rows = [[f"multiply-adds in {name}" if name != "read" else "reading memory", f"{number(value)} {'GB/s' if name == 'read' else 'GFLOP/s'}"]
            for name, value in limits.items()]
    for peer in peers:
        rows.append([f"8192³ product in f32, PyTorch {peer['torch']}", f"{number(peer['f32_gflops'])} GFLOP/s"])
        rows.append([f"8192³ product in bf16, PyTorch {peer['torch']}", f"{number(peer['bf16_gflops'])} GFLOP/s"])
        rows.append([f"copying memory, PyTorch {peer['torch']}", f"{number(peer['copy_gigabytes_per_second'])} GB/s, read and written"])
    return limits, rows


def kernel_rows(kernels, limits):
    for report in kernels:
        for kernel in report["kernels"]:
            bound_by_memory = kernel["gflops"] is None
            rate = kernel["gigabytes_per_second" if bound_by_memory else "gflops"]
            limit = limits.get("read" if bound_by_memory else kernel["dtype"])
            yield [f"{kernel['operation']} {kernel['kind']}", kernel["shape"], kernel["dtype"], f"{1e3 * kernel['seconds']:.3f}",
                   f"{number(rate)} {'GB/s' if bound_by_memory else 'GFLOP/s'}", f"{rate / limit:.0%}" if limit else ""]


def model_rows(models):
    for report in models:
        shape = ", ".join(f"{name} {report[name]}" for name in ("rows", "length", "batch", "prompt", "new") if name in report)
        share = report["percent_of_peak"]
        yield [report["benchmark"], report["size"], shape, report["dtype"], number(report["tokens_per_second"]), number(report["gflops"]),
               f"{share:.0f}%" if share is not None else ""]


class Bars:
    """Rows of the last table: what was measured, beside a peer or a ceiling, and what was to be reached."""

    def __init__(self, files):
        self.files, self.rows = files, []

    def report(self, name):
        return parsed(self.files.get(name, ""))

    def kernel(self, name, kind, shape=""):
        report = self.report(f"cuda/kernels-{name}.json") or {"kernels": []}
        return next((k for k in report["kernels"] if k["kind"] == kind and shape in k["shape"]), None)

    def tokens(self, name):
        return (self.report(name) or {}).get("tokens_per_second")

    def add(self, name, unit, ours, peer=None, peer_name="", least=None, least_ratio=None):
        """`least` in the unit, `least_ratio` over the peer; what is missing, ours or the peer's, shows as such."""
        bars = [f"≥ {number(least)}"] if least else []
        bars += [f"≥ {least_ratio:.2f} ×"] if least_ratio else []
        ratio = ours / peer if ours and peer else None
        if ours is None or (least_ratio and ratio is None and not least):
            verdict = "not measured" if bars else ""
        else:
            good = (not least or ours >= least) and (not least_ratio or (ratio is not None and ratio >= least_ratio))
            verdict = ("reached" if good else "MISSED") if bars else ""
        self.rows.append([name, f"{number(ours)} {unit}" if ours is not None else "–", f"{number(peer)} {unit}, {peer_name}" if peer else "–",
                          f"{ratio:.2f}" if ratio else "–", ", ".join(bars) or "–", verdict])

    def all(self):
        peaks, peers = self.report("torch/ceilings.json") or {}, (self.report("torch/operations.json") or {}).get("seconds", {})
        copy = peaks.get("copy_gigabytes_per_second")
        fast = {n: self.tokens(f"cuda/bench-train-fast-{n}.json") for n in (1024, 2048, 4096, 8192)}
        compiled = {n: self.tokens(f"torch/step-{n}-compiled.json") for n in fast}
        for n, ours in fast.items():
            self.add(f"training, fast mode, sequences of {n:,}", "tokens/s", ours, compiled[n], "PyTorch compiled", 55000 if n == 1024 else None,
                     1.3 if n in (1024, 8192) else None)
        for n in fast:
            self.add(f"training, batch-invariant, sequences of {n:,}", "tokens/s", self.tokens(f"cuda/bench-train-{n}.json"), fast[n], "fast mode", None, 0.75)
        loss = self.kernel("policy-loss-bf16", "forward and backward", "×4096×131072")
        # Benchmarks of losses count the logits that they work out twice: 8 · M · H · V, beside the 6 that the report counts.
        rate = loss["gflops"] * 8 / 6 * 1e-3 if loss else None
        for mode in ("compiled", "eager"):
            peer = self.report(f"torch/loss-{mode}.json") or {}
            self.add("loss, 8,192 × 4,096 × 131,072, 8·M·H·V", "TFLOP/s", rate, peer.get("teraflops"), f"PyTorch {mode} (cross-entropy)", 550)
        extra, peer = loss["scratch_bytes"] * 1e-9 if loss else None, (self.report("torch/loss-eager.json") or {}).get("extra_bytes")
        self.rows.append(["its extra memory", f"{extra:.2f} GB" if extra is not None else "–", f"{peer * 1e-9:.2f} GB, PyTorch eager" if peer else "–",
                          f"{extra * 1e9 / peer:.2f}" if extra is not None and peer else "–", "< 2 GB",
                          "not measured" if extra is None else "reached" if extra < 2 else "MISSED"])
        for kind, least in (("forward", 450), ("backward", None)):
            kernel, peer = self.kernel("attention-bf16", kind, "×8192 "), peers.get(f"attention {kind}")
            operations = kernel["gflops"] * kernel["seconds"] * 1e-3 if kernel else None
            self.add(f"attention {kind}, 2 × 8,192, head dim 128", "TFLOP/s", kernel["gflops"] * 1e-3 if kernel else None,
                     operations / peer if kernel and peer else None, "PyTorch (scaled_dot_product_attention)", least)
        self.add("attention decode, 128 × 1,024", "GB/s", self.rate("attention-bf16", "decode"), copy, "copy")
        for name, kind, file, least in (
                ("AdamW", "update", "adamw-bf16", 0.85), ("norm of gradients", "squared norm", "adamw-bf16", 0.85),
                ("RmsNorm forward", "add forward", "rms-norm-bf16", 0.85), ("RmsNorm backward", "add backward", "rms-norm-bf16", 0.85),
                ("SwiGlu forward", "forward", "swiglu-bf16", None), ("SwiGlu backward", "backward", "swiglu-bf16", None),
                ("Rope", "forward", "rope-bf16", None), ("Embedding", "forward", "embedding-bf16", None),
                ("Embedding's gradient", "backward", "embedding-bf16", None), ("Sampling", "all", "sampling-f32", None)):
            self.add(name, "GB/s", self.rate(file, kind), copy, "copy", None, least)
        decode = self.report("cuda/bench-rollout-128.json") or {}
        # At best each step reads every weight once.
        best = copy * 1e9 / (2 * decode["parameters"]) * decode["batch"] if copy and decode.get("batch") else None
        self.add("decode, 128 sequences", "tokens/s", decode.get("tokens_per_second"), best, "weights read at copy's speed", 15000)
        for name, file in (("batch-invariant", "linear-bf16"), ("fast mode", "linear-bf16-fast")):
            kernel = self.kernel(file, "forward", "8192×8192×8192")
            self.add(f"product of 8192³, {name}", "TFLOP/s", kernel["gflops"] * 1e-3 if kernel else None, peaks["bf16_gflops"] * 1e-3 if peaks else None, "PyTorch")
        for run in ("train-f32", "train-bf16"):
            summary = self.report(f"cuda/{run}/summary.json") or {}
            value = summary.get("max_sampling_logp_difference")
            self.rows.append([f"sampled and learnt log-probs differ by, {run}", "–" if value is None else f"{value:g}", "–", "–", "0",
                              "not measured" if value is None else "reached" if value == 0 else "MISSED"])
        return self.rows

    def rate(self, file, kind):
        kernel = self.kernel(file, kind)
        return kernel["gigabytes_per_second"] if kernel else None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--backend", default="cuda")
    parser.add_argument("results")
    arguments = parser.parse_args()
    files = read(arguments.results)
    columns = ["what", "luffy", "peer or ceiling", "ratio", "bar", ""]
    if arguments.table:
        table(columns, *Bars(files).all())
        return
    kernels = reports(files, f"{arguments.backend}/kernels-*.json")
    if not kernels:
        parser.exit(1, f"{arguments.results} holds no {arguments.backend}/kernels-*.json of a step that came to its end\n")
    machine = [line for line in files["machine.txt"].splitlines() if not line.startswith("Linux")]
    print(f"{' · '.join(machine)} · {kernels[0]['device']}\n")
    if arguments.backend == "cuda":
        print("## Bars\n")
        table(columns, *Bars(files).all())
    limits, rows = ceilings(kernels, reports(files, "torch/ceilings.json"))
    print("## Ceilings\n")
    table(["what", "measured"], *rows)
    print("## Operations\n")
    table(["operation", "shape", "storage", "ms", "rate", "of the ceiling"], *kernel_rows(kernels, limits))
    print("## Whole models\n")
    table(["what", "size", "shape", "storage", "tokens/s", "GFLOP/s", "of the ceiling"],
          *model_rows(reports(files, f"{arguments.backend}/bench-*.json")))


if __name__ == "__main__":
    main()
