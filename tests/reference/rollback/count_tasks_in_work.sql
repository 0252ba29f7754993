SELECT COUNT(*) FROM embedding_tasks WHERE status = 'processing';
