ANALYZE embedding_tasks;
