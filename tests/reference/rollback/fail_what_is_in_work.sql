UPDATE embedding_tasks 
SET status = 'failed',
    error_message = 'Emergency stop initiated',
    completed_at = NOW()
WHERE status = 'processing';
