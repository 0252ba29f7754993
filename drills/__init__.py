"""Faults between real processes, and what the queue makes of them: the proof behind docs/reliability.md."""
