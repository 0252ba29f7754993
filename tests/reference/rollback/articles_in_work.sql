SELECT DISTINCT article_id, slug 
FROM embedding_tasks 
WHERE status = 'processing' 
  AND processed_at >= NOW() - INTERVAL '1 hour';
