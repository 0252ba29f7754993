"""What so many vectors take of disk and memory, by the formulas of those who store them; pure."""

_PAGE = 8_192
_PAGE_HEAD = 24 + 8  # Postgres' header, and what pgvector keeps at the end of each page
_LINE_POINTER = 4
# A row of article_embeddings without its vector: 28 bytes of head and pointer, 8 columns of 89 bytes and their padding
# (https://www.postgresql.org/docs/current/storage-page-layout.html), and an entry in each of its 3 indexes.
_ROW = 28 + 96 + 24 + 32 + 40
# Past this a vector lies outside its row, in pieces of about 2,000 bytes with 48 bytes of head, pointer and index entry
# each (TOAST_MAX_CHUNK_SIZE; STORAGE EXTERNAL, embeddings/migrations/0002).
_INLINE_MOST = 2_000
_PIECE, _PIECE_HEAD = 1_996, 48 + 24
_HEAP_TIDS = 10 * 6
_M = 16  # embeddings/annindex.py
_TID = 6


def vector_bytes(dimensions: int) -> int:
    """Of one vector (pgvector README: 4 * dimensions + 8)."""
    return 4 * dimensions + 8


def table_bytes(dimensions: int, chunks: int) -> int:
    """Of so many rows of article_embeddings, their ordinary indexes included."""
    vector = vector_bytes(dimensions)
    pieces = -(-vector // _PIECE) if vector > _INLINE_MOST else 0
    return chunks * (_ROW + vector + pieces * _PIECE_HEAD)


def index_bytes(dimensions: int, chunks: int) -> int:
    """Of the approximate index on disk, which is also what searches like to find in memory.

    Each vector has an element and a neighbour tuple, which share a page where both fit (pgvector src/hnsw.h:
    HNSW_ELEMENT_TUPLE_SIZE, HNSW_NEIGHBOR_TUPLE_SIZE).
    """
    element = _aligned(4 + _HEAP_TIDS + _TID + 2 + vector_bytes(dimensions)) + _LINE_POINTER
    neighbours = _aligned(4 + 2 * _M * _TID) + _LINE_POINTER
    a_page = (_PAGE - _PAGE_HEAD) // (element + neighbours)
    return _PAGE * -(-chunks // a_page) if a_page else 2 * _PAGE * chunks


def build_bytes(dimensions: int, chunks: int) -> int:
    """Of memory while the index is built: past `maintenance_work_mem` the build goes on, much slower.

    The graph holds each vector, 2 m neighbours of 16 bytes, and about 190 bytes beside (HnswElementData and the heads
    of its parts, with their share of the upper layers).
    """
    return chunks * (vector_bytes(dimensions) + 2 * _M * 16 + 190)


def _aligned(size: int) -> int:
    return -(-size // 8) * 8
