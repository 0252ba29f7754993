SELECT COUNT(*) FROM embedding_tasks 
WHERE metadata->>'reason' = 'migration' 
  AND status IN ('pending', 'processing');
