"""The ``kubernetes`` package: imported late, because it is large, and ours before another extension's.

az appends the directory of every extension to ``sys.path``, so the alphabetically first one's copy would win.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


def kubernetes_client() -> ModuleType:
    """``kubernetes.client``, from beside this extension when it is installed there."""
    beside = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, beside)
    try:
        return importlib.import_module("kubernetes.client")
    finally:
        sys.path.remove(beside)
