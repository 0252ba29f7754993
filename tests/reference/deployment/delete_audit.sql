DELETE FROM embedding_audit_logs;
