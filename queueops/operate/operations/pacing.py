"""How many rows a batch of an operation takes, so that no session waits long for its locks; pure."""

# A batch is one transaction: this long are its rows locked.
AIM_SECONDS = 0.1
# Between batches others get what they have waited for.
BREATH_SECONDS = 0.02
FIRST = 250
MOST = 2_000
# Below this a batch costs what a statement and a commit cost: on a machine that is slow just now, fewer rows save
# nothing.
_LEAST = 200
# After a batch that another session blocked, a smaller one is likelier to succeed.
_SHRINK = 4


def next_size(size: int, seconds: float, most: int = MOST, aim: float = AIM_SECONDS) -> int:
    """The size of the next batch after one of `size` rows took so long: at most doubled, and never above `most`."""
    fitting = size * aim / max(seconds, 0.001)
    return min(max(int(min(fitting, 2 * size)), _LEAST), most)


def after_collision(size: int) -> int:
    """The size to try when a batch of `size` could not get what it needed."""
    return max(size // _SHRINK, 1)
