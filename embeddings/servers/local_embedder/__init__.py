"""The local embedder: all-MiniLM-L6-v2 as a process that speaks the OpenAI embeddings protocol."""
