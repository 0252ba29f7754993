"""`python -m embeddings.embedder`: the local embedder without Django: less to load, less memory."""

import argparse
import sys

from embeddings.embedder import command


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m embeddings.embedder", description=__doc__)
    command.add_options(parser, port=None)
    options = parser.parse_args()
    sys.exit(command.run(options.port, options.threads, _say))
