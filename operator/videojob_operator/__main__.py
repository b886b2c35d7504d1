"""`videojob-operator`: reads the environment, logs one line of JSON per message, runs until SIGTERM."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from videojob_operator.app import ComponentStopped, Operator
from videojob_operator.kube.crd import IncompatibleCluster
from videojob_operator.kube.errors import ApiError
from videojob_operator.settings import InvalidSetting, OperatorSettings, from_environment, settings_table


class JsonFormatter(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, the fields of a decision, and the traceback where there is one."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(level: str) -> None:
    """Log to stderr as JSON; kopf's loggers only warnings, because it logs every event."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)


def main() -> int:
    """Run the operator; exit code 0 after SIGTERM, 1 after a fatal error, 2 for invalid settings."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"usage: videojob-operator\n\n{settings_table()}\n")
        return 0
    try:
        settings = from_environment(os.environ)
    except InvalidSetting as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(settings.log_level)
    return asyncio.run(run_operator(settings))


async def run_operator(settings: OperatorSettings) -> int:
    """Run the operator and return its exit code."""
    try:
        await Operator(settings).run()
    except (IncompatibleCluster, ComponentStopped, ApiError) as error:
        logging.getLogger(__name__).critical("exiting: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
