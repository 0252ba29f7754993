INSERT INTO embedding_worker_status (id, is_running) 
VALUES (1, false) 
ON CONFLICT (id) DO UPDATE SET is_running = false;
