"""Files that strangers may have written: safe names, safe folders, verified bytes."""
