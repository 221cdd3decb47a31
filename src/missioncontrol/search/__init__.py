"""Search over what has happened: an index beside the log, filled by a reader of the log."""

from missioncontrol.search.query import MAX_QUERY_LENGTH, Query, parse_query
from missioncontrol.search.search import COUNT_UP_TO, Found, Hit, Search
from missioncontrol.search.text import snippet

__all__ = ["COUNT_UP_TO", "MAX_QUERY_LENGTH", "Found", "Hit", "Query", "Search", "parse_query", "snippet"]
