SELECT 
  DATE_TRUNC('hour', timestamp) as hour,
  COUNT(*) as error_count,
  array_agg(DISTINCT message) as error_types
FROM embedding_audit_logs 
WHERE level = 'error' 
  AND timestamp >= NOW() - INTERVAL '24 hours'
GROUP BY hour
ORDER BY hour;
