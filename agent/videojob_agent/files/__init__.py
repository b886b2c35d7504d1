"""Access to untrusted files: safe names, safe directories, verified streams."""
