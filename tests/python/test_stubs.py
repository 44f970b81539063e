# SPDX-License-Identifier: MIT
"""The stubs say what there is: names and parameters; and everything that a user sees has a description."""
import ast
import inspect
import os
import unittest

import devio
from devio import _core, _load, aio, data, safetensors

# Of every object; of types that are no user's to make.
INHERITED = {*dir(object), "__module__", "__weakref__", "__weaklistoffset__", "__dict__", "__annotations__"}
# Slots of the C types that stubs have by another name, or by `class` itself.
SLOTS = {"__reduce_ex__", "__del__", "__new__", "__repr__", "__buffer__", "__release_buffer__", "__iter__"}


def parameters(fn):
    """Names of a stub's function's parameters, without self."""
    a = fn.args
    names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return [n for n in names if n not in ("self", "cls")]


def stub(name):
    with open(os.path.join(os.path.dirname(devio.__file__), name)) as f:
        return ast.parse(f.read())


class Stubs(unittest.TestCase):
    def classes(self, tree):
        found = {c.name: c for c in tree.body if isinstance(c, ast.ClassDef)}

        def members(c):
            out = {}
            for base in c.bases:
                if isinstance(base, ast.Name) and base.id in found:
                    out.update(members(found[base.id]))
            for m in c.body:
                if isinstance(m, ast.FunctionDef):
                    out[m.name] = m
                elif isinstance(m, ast.AnnAssign):
                    out[m.target.id] = None
            return out
        return {name: members(c) for name, c in found.items() if not name.startswith("_")}

    def test_names(self):
        for module, name in ((_core, "_core.pyi"), (_load, "_load.pyi")):
            tree = stub(name)
            classes = self.classes(tree)
            functions = {f.name for f in tree.body if isinstance(f, ast.FunctionDef)}
            values = {v.target.id for v in tree.body if isinstance(v, ast.AnnAssign)}
            there = {n for n in dir(module) if not n.startswith("__")}
            self.assertEqual(there, set(classes) | functions | values)
            for kind, members in classes.items():
                if kind in ("Error", "FormatError", "Field"):
                    continue
                own = set(dir(getattr(module, kind))) - INHERITED - SLOTS
                self.assertEqual(own, set(members) - SLOTS, kind)

    def test_parameters(self):
        for module, name in ((_core, "_core.pyi"), (_load, "_load.pyi")):
            tree = stub(name)
            for kind, members in self.classes(tree).items():
                for method, fn in members.items():
                    real = getattr(getattr(module, kind), method, None)
                    if fn is None or not callable(real) or method in SLOTS | {"__exit__", "__len__", "__getitem__"} or \
                            method.startswith("_") and not method.startswith("__"):
                        continue
                    with self.subTest(f"{kind}.{method}"):
                        got = [p for p in inspect.signature(real).parameters if p not in ("self", "type")]
                        self.assertEqual(got, parameters(fn))

    def test_what_python_says_of_itself(self):
        for kind in (_core.Context, _core.Memory, _core.File, _core.Ring, _load.Tensor, _load.Source):
            self.assertGreaterEqual(len(inspect.signature(kind).parameters), 0)

    def test_everything_is_described(self):
        for module in (_core, _load, aio, data, safetensors):
            for name in getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]:
                o = getattr(module, name)
                if not callable(o) or name in ("plan", "plan_parts", "plan_tensors", "read_plan",
                                                "host_memory"):
                    continue
                self.assertTrue(o.__doc__, f"{module.__name__}.{name}")
                for member in vars(o) if inspect.isclass(o) else ():
                    if not member.startswith("_") and callable(getattr(o, member)) and name not in ("Info", "Field"):
                        self.assertTrue(getattr(o, member).__doc__, f"{module.__name__}.{name}.{member}")

    def test_the_package(self):
        names = set()
        for s in stub("__init__.pyi").body:
            if isinstance(s, (ast.ImportFrom, ast.Import)):
                names |= {a.asname for a in s.names}
            elif isinstance(s, ast.AnnAssign):
                names.add(s.target.id)
        self.assertEqual(names, {*devio.__all__, "__version__"})
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(devio.__file__), "py.typed")))


if __name__ == "__main__":
    unittest.main()
