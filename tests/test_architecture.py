"""The shape of the house: imports go backwards, every public name is documented, the wheel holds every room."""

import ast
import doctest
import importlib
import inspect
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A stage may import from those at its left, and from its own.
STAGES = [
    *("files", "images", "scores", "sentence", "alignment", "looks", "vocabulary"),
    *("layers", "decoding", "class_weights", "losses", "metrics"),
    *("models", "zoo", "export", "cli"),
]
# export takes a keras.Model, never a recipe; only cli knows both.
FORBIDDEN = {"export": {"zoo"}}
FOLDERS = {"zoo": ROOT / "zoo", "export": ROOT / "export"}


def modules():
    """(dotted name without the package, path) of every module of the package."""
    for base, prefix in [(ROOT / "keras_segattn", ""), (ROOT / "export", "export"), (ROOT / "zoo", "zoo")]:
        for path in sorted(base.rglob("*.py")):
            parts = [prefix, *path.relative_to(base).with_suffix("").parts]
            yield ".".join(part for part in parts if part and part != "__init__"), path


def imported_stages(name, path, tree):
    """Stages of this package that a module imports, with the line."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                yield (target or [alias.name])[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "keras_segattn":
            yield [*node.module.split("."), node.names[0].name][1], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("keras_segattn."):
                    yield alias.name.split(".")[1], node.lineno


@pytest.mark.parametrize(("name", "path"), [pytest.param(n, p, id=n or "top") for n, p in modules()])
def test_a_module_imports_only_from_stages_before_its_own(name, path):
    stage = name.split(".")[0]
    if not stage:
        pytest.skip("the package itself has no stage")
    assert stage in STAGES, f"{path}: expected a module of a known stage"
    for imported, line in imported_stages(name, path, ast.parse(path.read_text())):
        if imported not in STAGES:
            continue
        later = STAGES.index(imported) > STAGES.index(stage)
        assert not later and imported not in FORBIDDEN.get(stage, ()), (
            f"{path.relative_to(ROOT)}:{line} imports {imported}, which comes after {stage} or is closed to it"
        )


def test_an_import_of_a_later_stage_is_found():
    tree = ast.parse("from ..zoo import load\nfrom .runtime import Runner\n")
    assert list(imported_stages("export.parity", Path("export/parity.py"), tree)) == [("zoo", 1), ("export", 2)]


def public_names():
    """(module, name, object) of every documented name: functions and classes without a leading underscore."""
    for name, _ in modules():
        if name == "cli" or name.startswith("cli.") and name not in ("cli.main", "cli.target", "cli.measure"):
            continue
        module = importlib.import_module(f"keras_segattn.{name}" if name else "keras_segattn")
        for key, value in vars(module).items():
            documented = inspect.isclass(value) or inspect.isfunction(value)
            if documented and not key.startswith("_") and value.__module__ == module.__name__:
                yield module, key, value


def test_every_public_function_and_class_has_a_docstring_with_an_example():
    bare = [
        f"{module.__name__}.{name}"
        for module, name, value in public_names()
        if not (inspect.isclass(value) and issubclass(value, Exception))  # an error's docstring says when
        and ">>>" not in (inspect.getdoc(value) or "")
    ]
    assert not bare, f"without an example: {', '.join(bare)}"


@pytest.mark.parametrize("name", [name for name, _ in modules()], ids=lambda name: name or "top")
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KERAS_SEGATTN_DATA", raising=False)
    module = importlib.import_module(f"keras_segattn.{name}" if name else "keras_segattn")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    failed, _ = doctest.testmod(module, optionflags=flags)
    assert failed == 0


def test_the_package_alone_loads_neither_keras_nor_a_backend():
    heavy = "{'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'PIL'}"
    code = f"import sys, keras_segattn; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_built_wheel_holds_every_package_and_no_top_level_export_or_zoo(tmp_path):
    source = tmp_path / "source"  # a copy: building leaves its own folders behind
    for name in ("keras_segattn", "export", "zoo"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    web = Path("examples", "web")
    shutil.copytree(ROOT / web, source / web, ignore=shutil.ignore_patterns("node_modules"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, source]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    for name, path in modules():
        parts = ["keras_segattn", *filter(None, name.split("."))]
        expected = "/".join([*parts, "__init__.py"]) if path.name == "__init__.py" else "/".join(parts) + ".py"
        assert expected in files
    assert not [file for file in files if file.split("/")[0] in ("export", "zoo", "tests", "examples")]
    data = {"zoo/results.csv", "zoo/weights/SHA256SUMS", "web/index.html", "web/segment.mjs", "web/package.json"}
    assert {f"keras_segattn/{file}" for file in data} <= set(files)
