"""The runner: keeps the IO contract and runs the engines."""

import os

# torch looks before its first tensor. Each page of a large tensor is cleared and mapped when it is first written to, so
# with pages of 4 KiB a quarter of a decoder's seconds on a CPU were the kernel's; this asks for pages of 2 MiB.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
