#!/usr/bin/env python3
"""Prints what eng/gpu-check.sh measured as Markdown, for a file of perf/results: python3 perf/peers/gpu_results.py results.tar.gz

Rates are held against ceilings that were measured in the same run; shares above all of them mean that a cache answered.
"""
import fnmatch
import json
import os
import statistics
import sys
import tarfile

from compare import number, table


def read(path):
    """What is in an archive, or in a folder that it was unpacked to: text by file name."""
    if os.path.isdir(path):
        files = {}
        for name in os.listdir(path):
            if os.path.isfile(os.path.join(path, name)):
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    files[name] = file.read()
        return files
    with tarfile.open(path) as archive:
        return {os.path.basename(m.name): archive.extractfile(m).read().decode() for m in archive if m.isfile() and m.name.count("/") == 1}


def reports(files, pattern):
    """The JSON of steps that came to their end."""
    return [json.loads(files[name]) for name in sorted(fnmatch.filter(files, pattern)) if files[name].strip()]


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


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    files = read(sys.argv[1])
    kernels = reports(files, "kernels-*.json")
    if not kernels:
        sys.exit(f"{sys.argv[1]} holds no kernels-*.json of a step that came to its end")
    machine = [line for line in files["machine.txt"].splitlines() if not line.startswith("Linux")]
    print(f"{' · '.join(machine)} · {kernels[0]['device']}\n")
    limits, rows = ceilings(kernels, reports(files, "ceilings-*.json"))
    print("## Ceilings\n")
    table(["what", "measured"], *rows)
    print("## Operations\n")
    table(["operation", "shape", "storage", "ms", "rate", "of the ceiling"], *kernel_rows(kernels, limits))
    print("## Whole models\n")
    table(["what", "size", "shape", "storage", "tokens/s", "GFLOP/s", "of the ceiling"],
          *model_rows(reports(files, "bench-*.json")))


if __name__ == "__main__":
    main()
