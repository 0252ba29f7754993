SELECT a.id, a.slug, av.title, av.content
FROM articles a
JOIN article_versions av ON a.id = av.article_id
WHERE av.version_number = (
  SELECT MAX(version_number) 
  FROM article_versions av2 
  WHERE av2.article_id = a.id
);
