UPDATE embedding_worker_status SET is_running = false;
