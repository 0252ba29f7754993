"""Backups of the database, made and read by Postgres' own programs, checked before they count."""
