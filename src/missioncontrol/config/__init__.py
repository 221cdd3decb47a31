"""Settings: flags, environment, the TOML file and defaults, in this order.

Every setting has one name: `server.port` in the file is `--port` on the command line and `MISSION_CONTROL_PORT` in the
environment.
"""

from missioncontrol.config.checks import HOST_NAME
from missioncontrol.config.loading import ENVIRONMENT, load_config
from missioncontrol.config.settings import (
    DEFAULT_PORT,
    DEFAULT_URL,
    MAX_QUOTAS,
    WEEKDAYS,
    BudgetConfig,
    ClusterConfig,
    Config,
    Level,
    McpConfig,
    NotifyConfig,
    NotifyRule,
    QuotasConfig,
    Scope,
    SearchConfig,
    ServerConfig,
    SourcesConfig,
    StandupConfig,
    TelemetryConfig,
    TokenConfig,
    data_home,
)

__all__ = [
    "DEFAULT_PORT",
    "DEFAULT_URL",
    "ENVIRONMENT",
    "HOST_NAME",
    "MAX_QUOTAS",
    "WEEKDAYS",
    "BudgetConfig",
    "ClusterConfig",
    "Config",
    "Level",
    "McpConfig",
    "NotifyConfig",
    "NotifyRule",
    "QuotasConfig",
    "Scope",
    "SearchConfig",
    "ServerConfig",
    "SourcesConfig",
    "StandupConfig",
    "TelemetryConfig",
    "TokenConfig",
    "data_home",
    "load_config",
]
