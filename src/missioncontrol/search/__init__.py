"""Search over what has happened: an index beside the log, filled by a reader of the log."""

from missioncontrol.search.query import MAX_QUERY_LENGTH, Query, parse_query
from missioncontrol.search.search import Found, Hit, Search

__all__ = ["MAX_QUERY_LENGTH", "Found", "Hit", "Query", "Search", "parse_query"]
