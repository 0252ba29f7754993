"""Articles' management commands."""
