"""
One node-level cluster per machine: two kubelets would share the cgroups of pods, and remove each other's.

The lock is a file that says who holds it. It counts as long as a daemon of that holder lives; after a crash or a
reboot it is worth nothing, and the next one takes it.
"""

from __future__ import annotations

import fcntl
import getpass
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from devcluster.errors import NodeInUse
from devcluster.host.daemons import Daemons

MACHINE_LOCK = Path("/run/lock/devcluster-node.json")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the machine's one node: the cluster's state folder, the user, and since when."""

    folder: str
    user: str
    since: str


@dataclass(frozen=True, slots=True)
class MachineLock:
    """The lock in `file`."""

    file: Path = MACHINE_LOCK

    def holder(self) -> Holder | None:
        """Who holds it, None when nobody does or the holder is dead."""
        try:
            holder = Holder(**json.loads(self.file.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        daemons = Daemons(Path(holder.folder))
        return holder if any(daemons.running(name) for name in daemons.names()) else None

    def claim(self, folder: Path) -> None:
        """Takes the lock for the cluster in `folder`; raises Busy, naming the holder, when another has it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            holder = self.holder()
            if holder and not self.is_free_for(folder):
                cache = Path(holder.folder).parent.parent
                raise NodeInUse(
                    f"one node-level cluster per machine: {holder.user} has run one since {holder.since} in "
                    f"{holder.folder}; to stop it: VIDEOJOB_CACHE={cache} python -m devcluster down --level node"
                )
            mine = Holder(str(folder), getpass.getuser(), datetime.now(UTC).isoformat(timespec="seconds"))
            handle.truncate(0)
            handle.write(json.dumps(asdict(mine)))

    def is_free_for(self, folder: Path) -> bool:
        """Whether no other cluster than the one in `folder` has the machine."""
        holder = self.holder()
        return holder is None or holder.folder == str(folder)

    def release(self, folder: Path) -> None:
        """Gives the lock back if the cluster in `folder` has it."""
        if self.is_free_for(folder):
            self.file.unlink(missing_ok=True)
