"""Search over what has happened: an index next to the log, filled by a reader of the log."""

from missioncontrol.search.query import MAX_QUERY_LENGTH, Query, parse_query
from missioncontrol.search.search import COUNT_UP_TO, Hit, Search, SearchHit
from missioncontrol.search.text import snippet

__all__ = ["COUNT_UP_TO", "MAX_QUERY_LENGTH", "Hit", "Query", "Search", "SearchHit", "parse_query", "snippet"]
