"""What the benchmarks share: a stack of their own, texts, load, and the shape of a result."""
