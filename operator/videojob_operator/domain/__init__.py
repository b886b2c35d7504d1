"""Pure reconcile logic: observation in, decision out; no I/O and no client."""
