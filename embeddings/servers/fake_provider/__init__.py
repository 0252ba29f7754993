"""A deterministic embedding provider that fails on request: for tests, drills and benchmarks, on loopback only."""
