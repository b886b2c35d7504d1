"""What a VideoJob is and must become: observe, decide, plan. Pure: no I/O, no client."""
