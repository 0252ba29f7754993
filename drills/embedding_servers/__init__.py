"""Real embedding servers from PyPI, each in an environment of its own: `./dev drill embedding_servers`."""
