"""Benchmarks: what one worker does end to end, what each stage costs, and what stays flat. `make bench`."""
