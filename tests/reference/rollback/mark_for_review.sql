UPDATE articles 
SET metadata = COALESCE(metadata, '{}')::jsonb || '{"needs_review": true}'::jsonb
WHERE id IN (SELECT DISTINCT article_id FROM embedding_tasks WHERE status = 'processing');
