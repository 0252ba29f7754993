DELETE FROM performance_metrics;
