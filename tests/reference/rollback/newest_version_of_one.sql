SELECT title, content FROM article_versions 
WHERE article_id = ? 
ORDER BY created_at DESC 
LIMIT 1;
