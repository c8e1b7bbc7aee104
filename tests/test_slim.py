"""What may import what: the live path no training library, the packages only those below them."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"pipeline", "models", "export", "alerts"}
HEAVY = {"torch", "torchvision", "torchaudio", "transformers", "librosa", "ray", "sklearn", "onnx", "matplotlib"}
LIVE = [
    *("pipeline.cli", "pipeline.run", "pipeline.camera", "pipeline.evaluate", "pipeline.summary", "pipeline.bench.run"),
    *("pipeline.demo.play", "pipeline.scene", "pipeline.doctor", "export.bundle", "export.runtime", "models.spec"),
]


def live_modules() -> list[str]:
    return [*LIVE, *(f"alerts.{path.stem}" for path in sorted((ROOT / "alerts").glob("[!_]*.py")))]


def imports(path: Path) -> Iterator[str]:
    """Modules a file imports, at its head or anywhere within; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in PACKAGES}


def test_the_live_path_loads_no_training_library() -> None:
    script = "import sys, json, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    script += "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    command = [sys.executable, "-c", script, *live_modules()]
    loaded = set(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    assert loaded >= PACKAGES
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("package", "may_import"), [("alerts", {"alerts"}), ("models", {"models"}), ("export", {"export", "models"})]
)
def test_a_package_imports_only_those_below_it(package: str, may_import: set[str]) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    found = {path.name: names for path in paths if (names := {name.split(".")[0] for name in ours(path)} - may_import)}
    assert paths
    assert found == {}


@pytest.mark.parametrize("name", ["bundle.py", "runtime.py"])
def test_what_runs_a_bundle_knows_of_the_models_their_spec_only(name: str) -> None:
    modules = {".".join(name.split(".")[:2]) for name in ours(ROOT / "export" / name)}
    assert {name for name in modules if name.startswith("models")} == {"models.spec"}


def test_the_spec_needs_python_and_numpy_only() -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "models" / "spec.py")} <= {*sys.stdlib_module_names, "numpy"}
