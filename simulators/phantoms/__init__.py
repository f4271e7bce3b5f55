"""Worlds to measure in: shapes, fields, samples."""
