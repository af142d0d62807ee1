"""Readers of registries: one module a format, each giving rows and the problems of every row."""
