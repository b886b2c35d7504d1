"""`videojob-operator`: reads the environment, logs one line of JSON per message, runs until SIGTERM."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from videojob_operator.app import Operator, PartEnded
from videojob_operator.kube.crd import UnfitCluster
from videojob_operator.kube.errors import ClusterError
from videojob_operator.settings import BadSetting, Settings, from_environment, table


class JsonLines(logging.Formatter):
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


def set_up_logging(level: str) -> None:
    """All loggers to stderr; kopf's only where it warns: it logs every event."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)


def main() -> int:
    """The exit code: 0 after SIGTERM, 1 when it cannot go on, 2 for bad settings."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"usage: videojob-operator\n\n{table()}\n")
        return 0
    try:
        settings = from_environment(os.environ)
    except BadSetting as error:
        sys.stderr.write(f"{error}\n")
        return 2
    set_up_logging(settings.log_level)
    return asyncio.run(supervised(settings))


async def supervised(settings: Settings) -> int:
    """The operator's life as an exit code."""
    try:
        await Operator(settings).run()
    except (UnfitCluster, PartEnded, ClusterError) as error:
        logging.getLogger(__name__).critical("cannot go on: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
