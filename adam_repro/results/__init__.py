"""Merged CSVs: read, merged from trial folders, compared with what is committed; any trials as a frame."""
