DELETE FROM embedding_tasks;
