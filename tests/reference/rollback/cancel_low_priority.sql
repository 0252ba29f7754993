UPDATE embedding_tasks 
SET status = 'failed',
    error_message = 'Resource conservation - low priority task cancelled'
WHERE status = 'pending' 
  AND priority = 'low';
