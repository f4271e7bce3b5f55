"""Memory that is freed and wanted again."""

import ctypes
import sys

#: Parameters of glibc's mallopt (malloc.h): what is kept at the end of the heap, asked for beyond a request, and taken from the system on its own.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def keep() -> bool:
    """Lets this process keep freed memory for its next arrays; says whether that could be arranged (Linux with glibc).

    Otherwise the C library hands large arrays back to the system, and every one that is made next begins with pages that the system must find and clear first: for programs that make arrays of
    megabytes many times a second that is as much work as filling them (docs/artificial-data.md). The process then holds the most that it ever needed, until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {_MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
