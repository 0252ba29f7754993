SELECT timestamp, level, category, message, metadata
FROM embedding_audit_logs 
WHERE timestamp >= NOW() - INTERVAL '1 hour'
ORDER BY timestamp DESC;
