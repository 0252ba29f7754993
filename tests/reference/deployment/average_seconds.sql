SELECT 
  AVG(EXTRACT(EPOCH FROM (completed_at - processed_at))) as avg_seconds
FROM embedding_tasks 
WHERE status = 'completed' 
  AND completed_at >= NOW() - INTERVAL '24 hours';
