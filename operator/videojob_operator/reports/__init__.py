"""The HTTPS server that receives the agents' progress reports."""
