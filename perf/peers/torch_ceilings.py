#!/usr/bin/env python3
"""What PyTorch reaches on this machine's GPU, as a second opinion on its ceilings: one JSON object.

A copy counts bytes read and written. Products are 8192³ of random numbers, for zeros multiply faster; f32 without TF32.
"""
import json
import statistics

import torch


def seconds(work, repeat=20):
    """The median of single runs, by the device's own clock."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeat):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3)
    return statistics.median(times)


def product(dtype, n=8192):
    a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
    c = torch.empty_like(a)
    return 2e-9 * n**3 / seconds(lambda: torch.matmul(a, b, out=c))


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(1)
    source = torch.randn(1 << 28, device="cuda")
    target = torch.empty_like(source)
    copied = 2 * source.numel() * source.element_size()
    print(json.dumps({
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "copy_gigabytes_per_second": 1e-9 * copied / seconds(lambda: target.copy_(source)),
        "f32_gflops": product(torch.float32),
        "bf16_gflops": product(torch.bfloat16),
    }))


if __name__ == "__main__":
    main()
