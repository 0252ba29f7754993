CREATE INDEX IF NOT EXISTS idx_embedding_tasks_custom 
ON embedding_tasks(status, priority, scheduled_at) 
WHERE status IN ('pending', 'processing');
