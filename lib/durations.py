"""Spans of time in words."""


def age(seconds: float) -> str:
    """A span of time in a readable unit: 42 s, 5 min, 3 h, 2 days."""
    for unit, length in (("days", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= length:
            return f"{seconds / {'days': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
