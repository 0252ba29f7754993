"""What so many vectors take of disk and memory, by the formulas of those who store them; pure."""

import math

_PAGE = 8_192
_PAGE_HEAD = 24
_PAGE_END = 8  # what pgvector keeps at the end of each page
_LINE_POINTER = 4
# Of article_embeddings, without the vector: a row with its head and pointer, and its entries in three indexes
# (https://www.postgresql.org/docs/current/storage-page-layout.html).
_ROW, _INDEX_ENTRIES = 120, 145
# A row longer than this has its vector outside, in pieces with head and pointer (TOAST_TUPLE_THRESHOLD,
# TOAST_MAX_CHUNK_SIZE; STORAGE EXTERNAL, embeddings/migrations/0002), each with an entry in an index of its own.
_INLINE_MOST = 2_032
_TOAST_POINTER = 18
_PIECE, _PIECE_HEAD, _PIECE_ENTRY = 1_996, 40, 24
_HEAP_TIDS = 10 * 6
_M = 16  # embeddings/storage/ann_index.py
_TID = 6


def vector_bytes(dimensions: int) -> int:
    """Of one vector (pgvector README: 4 * dimensions + 8)."""
    return 4 * dimensions + 8


def table_bytes(dimensions: int, chunks: int) -> int:
    """Of so many rows of article_embeddings, their ordinary indexes included."""
    vector = vector_bytes(dimensions)
    if _ROW + vector <= _INLINE_MOST:
        return math.ceil(chunks * (_on_pages([_ROW + vector]) + _INDEX_ENTRIES))
    full, rest = divmod(vector, _PIECE)
    pieces = [_PIECE + _PIECE_HEAD] * full + ([rest + _PIECE_HEAD] if rest else [])
    a_row = _on_pages([_ROW + _TOAST_POINTER]) + _on_pages(pieces)
    return math.ceil(chunks * (a_row + _INDEX_ENTRIES + _PIECE_ENTRY * len(pieces)))


def index_bytes(dimensions: int, chunks: int) -> int:
    """Of the approximate index on disk, which is also what searches like to find in memory.

    Each vector has an element and a neighbour tuple, which share a page where both fit (pgvector src/hnsw.h:
    HNSW_ELEMENT_TUPLE_SIZE, HNSW_NEIGHBOR_TUPLE_SIZE).
    """
    element = _aligned(4 + _HEAP_TIDS + _TID + 2 + vector_bytes(dimensions)) + _LINE_POINTER
    neighbours = _aligned(4 + 2 * _M * _TID) + _LINE_POINTER
    a_page = (_PAGE - _PAGE_HEAD - _PAGE_END) // (element + neighbours)
    return _PAGE * -(-chunks // a_page) if a_page else 2 * _PAGE * chunks


def build_bytes(dimensions: int, chunks: int) -> int:
    """Of memory while the index is built: past `maintenance_work_mem` the build continues, much slower.

    The graph holds each vector, 2 m neighbours of 16 bytes, and about 190 bytes beside (HnswElementData and the heads
    of its parts, with their share of the upper layers).
    """
    return chunks * (vector_bytes(dimensions) + 2 * _M * 16 + 190)


def _on_pages(sizes: list[int]) -> float:
    """Bytes of pages for one row, when the parts of many rows are laid one after another and none is divided."""
    rows, pages, room = 100, 0, 0
    for size in sizes * rows:
        if size > room:
            pages, room = pages + 1, _PAGE - _PAGE_HEAD
        room -= size
    return pages * _PAGE / rows


def _aligned(size: int) -> int:
    return -(-size // 8) * 8
