SELECT id, slug, processed_at, 
       NOW() - processed_at as processing_duration
FROM embedding_tasks 
WHERE status = 'processing'
ORDER BY processed_at;
