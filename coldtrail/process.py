"""Small truths about processes that Linux keeps."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Called in a child before it runs its program: kill it when its parent ends, however the
    parent ends. It survives ``exec``. The parent is the thread that started the child, so
    that thread must live as long as its children (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
