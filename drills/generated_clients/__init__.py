"""Clients generated from the OpenAPI document, by the generators of others, against a running service."""
