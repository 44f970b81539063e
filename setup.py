# SPDX-License-Identifier: MIT
"""The extension modules, for the stable ABI of Python 3.11. pkg-config says where libdevio is."""
import os
import re
import shlex
import subprocess

from setuptools import Extension, setup

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = ["common"]
MODULES = {
    "_core": ("devio", ["core", "context", "memory", "completion", "file", "ring"]),
    "_load": ("devio-load", ["load", "dtype", "tensor", "buffer", "dlpack", "borrow", "fetch", "plan", "source", "loader",
                             "batch", "stack", "item"]),
}


def version():
    with open(os.path.join(HERE, "configure.ac")) as f:
        return re.search(r"AC_INIT\(\[libdevio\], \[([^]]+)\]", f.read()).group(1)


def pkg_config(what, package):
    command = shlex.split(os.environ.get("PKG_CONFIG", "pkg-config"))
    return shlex.split(subprocess.check_output([*command, what, package], text=True))


def extension(name, package, sources):
    return Extension(
        f"devio.{name}", [f"python/src/{s}.c" for s in [*COMMON, *sources]], py_limited_api=True,
        depends=["python/src/common.h", "python/src/core.h", "python/src/load.h", "python/src/dlpack.h"],
        extra_compile_args=["-std=gnu11", "-fvisibility=hidden", *pkg_config("--cflags", package)],
        extra_link_args=pkg_config("--libs", package))


setup(version=version(), ext_modules=[extension(name, *rest) for name, rest in MODULES.items()],
      options={"bdist_wheel": {"py_limited_api": "cp311"}})
