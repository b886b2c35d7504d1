"""The HTTPS server that takes the agents' progress reports."""
