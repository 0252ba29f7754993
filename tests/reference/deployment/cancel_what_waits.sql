UPDATE embedding_tasks 
SET status = 'failed', 
    error_message = 'Cancelled by administrator'
WHERE status = 'pending';
