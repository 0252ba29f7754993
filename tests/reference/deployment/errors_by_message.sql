SELECT error_message, COUNT(*) as count
FROM embedding_tasks 
WHERE status = 'failed'
GROUP BY error_message
ORDER BY count DESC;
