"""Small helpers on tensors that know no engine."""
