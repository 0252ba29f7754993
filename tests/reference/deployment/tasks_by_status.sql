SELECT status, COUNT(*) as count 
FROM embedding_tasks 
GROUP BY status;
