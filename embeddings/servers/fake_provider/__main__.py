"""`python -m embeddings.servers.fake_provider`: the fake provider without Django, which starts faster."""

import argparse
import sys

from embeddings.servers.fake_provider import command


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m embeddings.servers.fake_provider", description=__doc__)
    command.add_options(parser)
    sys.exit(command.run(vars(parser.parse_args()), _say))
