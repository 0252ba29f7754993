UPDATE embedding_tasks 
SET status = 'pending', processed_at = NULL
WHERE status = 'processing' 
  AND processed_at < NOW() - INTERVAL '30 minutes';
