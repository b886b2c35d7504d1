"""
What can go wrong, as a tree.

DevclusterError
├── Unsupported    the machine lacks something; the text says what would help
├── BuildFailed        a compiler, a download or an image build ended with an error
├── StartFailed        a daemon ended or did not become ready; carries the end of its log
└── Busy               somebody else holds the machine's one node-level cluster
"""


class DevclusterError(Exception):
    """Base of everything this package raises on purpose."""


class Unsupported(DevclusterError):
    """The machine lacks a right, a tool or a kernel feature; the message names the remedy."""


class BuildFailed(DevclusterError):
    """A build step ended with an error; the message holds the end of its output."""


class StartFailed(DevclusterError):
    """A daemon ended early or was not ready in time; the message holds the end of its log."""


class NodeInUse(DevclusterError):
    """The machine's one node-level cluster belongs to somebody else; the message says to whom."""
