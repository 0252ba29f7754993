"""`python -m embeddings.servers.local_embedder`: the local embedder without Django: less to load, less memory."""

import argparse
import os
import sys

from embeddings.servers.local_embedder import command


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m embeddings.servers.local_embedder", description=__doc__)
    command.add_options(parser, usual=None)
    options = parser.parse_args()
    secret = os.environ.get("LOCAL_EMBEDDER_SECRET", "")
    sys.exit(command.run(options.socket, options.port, secret, options.threads, _say))
