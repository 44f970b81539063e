# SPDX-License-Identifier: MIT
"""How copies and pickles of a File open it again."""
import os
from typing import Tuple

from ._core import File


def reduce(name: str, flags: int, path: str, direct_only: int) -> Tuple:
    """For File.__reduce_ex__()."""
    return _open, (os.path.abspath(name), flags, path, bool(direct_only))


def _open(name: str, flags: int, path: str, direct_only: bool) -> File:
    return File(name, flags, path=path, direct_only=direct_only)
