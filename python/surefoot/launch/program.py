"""Runs a Python program in this process as ``python`` itself would.

``__main__``, ``sys.argv`` and ``sys.path`` are as the interpreter makes them, an exception leaves through
the interpreter's own doors (exit codes, ``sys.excepthook``, death by SIGINT), and tracebacks begin in the
program. What differs is what this file cannot undo: ``sys.orig_argv`` names the launcher, and below the
program's first frame stand the launcher's.
"""

from __future__ import annotations

import builtins
import io
import linecache
import os
import sys
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

# The launcher's own module keeps living though it is ``__main__`` no more.
_launchers: list[ModuleType] = []


class CannotOpenError(Exception):
    """There is no such program; the text says so as ``python`` does."""


@dataclass(frozen=True)
class Program:
    """A program and its arguments.

    Attributes:
        kind: ``script`` (a file, a folder or a zip file with a ``__main__.py``, ``-`` for the standard
            input), ``module`` (``-m``) or ``code`` (``-c``).
        name: The path, the module's name or the code.
        args: Its arguments.
    """

    kind: str
    name: str
    args: tuple[str, ...] = ()

    @classmethod
    def of_words(cls, words: list[str]) -> Program | None:
        """Read ``script.py args``, ``-m module args`` or ``-c code args``; ``None``: there is none."""
        if not words:
            return None
        first = words[0]
        for option, kind in (("-m", "module"), ("-c", "code")):
            if first == option:
                return cls(kind, words[1], tuple(words[2:])) if len(words) > 1 else None
            if first.startswith(option):
                return cls(kind, first[2:], tuple(words[1:]))
        if first.startswith("-") and first != "-":
            return None
        return cls("script", first, tuple(words[1:]))

    def run(self) -> None:
        """Run it to its end; what it raises is raised on, with a traceback that begins in the program.

        Raises:
            CannotOpenError: There is no such script.
        """
        module = _new_main()
        try:
            if self.kind == "module":
                _run_module(self.name, self.args)
            elif self.kind == "code":
                _run_code(self.name, self.args, module)
            else:
                _run_script(self.name, self.args, module)
        except (CannotOpenError, SystemExit):
            raise
        except BaseException:
            _show_the_program_only()
            raise


def _new_main() -> ModuleType:
    """Make the module that the program runs in, as the interpreter does at its start."""
    _launchers.append(sys.modules["__main__"])
    module = ModuleType("__main__")
    vars(module).update(__builtins__=builtins, __loader__=BuiltinImporter)
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    return module


def _set_path(entry: str, *, always: bool = False) -> None:
    """Put ``entry`` where the interpreter put the launcher's folder."""
    if not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated):
        sys.path[0] = entry
    elif always:
        sys.path.insert(0, entry)


def _run_module(name: str, args: tuple[str, ...]) -> None:
    import runpy

    sys.argv[:] = ["-m", *args]
    _set_path(os.getcwd())
    # What `python -m` calls.
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def _run_code(code: str, args: tuple[str, ...], module: ModuleType) -> None:
    sys.argv[:] = ["-c", *args]
    _set_path("")
    if sys.version_info >= (3, 14):
        import textwrap

        code = textwrap.dedent(code)
    compiled = compile(f"{code}\n", "<string>", "exec", dont_inherit=True)
    if sys.version_info >= (3, 13):
        # Tracebacks show its lines. The first releases of 3.13 find them by name, later ones by code object.
        key: object = compiled if hasattr(linecache, "_interactive_cache") else "<string>"
        linecache._register_code(key, code, "<string>")  # type: ignore[attr-defined]
    exec(compiled, vars(module))


def _run_script(name: str, args: tuple[str, ...], module: ModuleType) -> None:
    sys.argv[:] = [name, *args]
    if name == "-":
        _set_path("")
        source = sys.stdin.buffer.read()
        _run_file(compile(source, "<stdin>", "exec", dont_inherit=True), "<stdin>", module)
        return
    path = name if os.path.isabs(name) else os.path.join(os.getcwd(), name)
    if not os.path.isfile(path) or _is_archive(path):
        if not os.path.exists(path):
            raise CannotOpenError(f"can't open file {path!r}: [Errno 2] No such file or directory")
        import runpy

        _set_path(path, always=True)
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    _set_path(os.path.dirname(os.path.realpath(path)))
    if path.endswith(".pyc"):
        compiled_loader = SourcelessFileLoader("__main__", path)
        code = compiled_loader.get_code("__main__")
        assert code is not None
        module.__loader__ = compiled_loader
    else:
        module.__loader__ = SourceFileLoader("__main__", path)
        try:
            with io.open_code(path) as file:
                source = file.read()
        except OSError as error:
            raise CannotOpenError(
                f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
            ) from None
        code = compile(source, path, "exec", dont_inherit=True)
    _run_file(code, path, module)


def _is_archive(path: str) -> bool:
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _run_file(code: CodeType, path: str, module: ModuleType) -> None:
    names = vars(module)
    names.update(__file__=path, __cached__=None)
    try:
        exec(code, names)
    finally:
        # So does the interpreter once the file has run.
        for name in ("__file__", "__cached__"):
            names.pop(name, None)


def _show_the_program_only() -> None:
    """Let the interpreter print the exception under way without the launcher's frames.

    Its own way out is the only one that does everything else right: the exit code, ``sys.last_value``, the
    order of the exit handlers, death by SIGINT.
    """
    hook = getattr(sys, "excepthook", None)
    if not callable(hook):
        return

    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> Any:
        sys.excepthook = hook
        inside = within_program(traceback)
        error.__traceback__ = sys.last_traceback = inside
        return hook(kind, error, inside)

    sys.excepthook = show


def within_program(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that lies in the program."""
    inside = each = traceback
    while each is not None:
        if each.tb_frame.f_code.co_filename == __file__:
            inside = each.tb_next
        each = each.tb_next
    return inside
