UPDATE embedding_tasks 
SET status = 'failed',
    error_message = 'Provider rollback - task cancelled'
WHERE status = 'pending' 
  AND created_at >= NOW() - INTERVAL '1 hour';
