"""Faults that the drill injects into workers, servers, connections and clocks while a backlog is processed."""
