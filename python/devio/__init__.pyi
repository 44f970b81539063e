# SPDX-License-Identifier: MIT
from . import aio as aio, data as data, safetensors as safetensors, torch as torch
from ._core import (PATHS as PATHS, Completion as Completion, Context as Context, Error as Error, File as File,
                    FormatError as FormatError, Memory as Memory, Ring as Ring, default as default, devices as devices,
                    version as version)
from ._load import DTYPES as DTYPES, Tensor as Tensor, from_dlpack as from_dlpack
from .safetensors import load as load, save as save

__version__: str
