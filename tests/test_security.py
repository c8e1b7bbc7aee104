"""What docs/security.md promises of the code as a whole: what starts programs, and what runs data."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipeline", "models", "export", "alerts")
STARTS = {"subprocess", "pty", "os.system", "os.popen", "os.spawnv", "os.execv", "os.execvp", "asyncio.subprocess"}
RUNS = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "runpy", "code"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def names(tree: ast.Module) -> Iterator[str]:
    """Modules that are imported, `module.name` of what is imported from them, and what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def users(of: set[str]) -> set[str]:
    return {path for path, tree in trees() if of & set(names(tree))}


def test_only_the_embedded_redis_the_record_of_a_training_and_the_benchmark_start_programs() -> None:
    benchmark = {"pipeline/bench/alerts.py", "pipeline/bench/start.py"}  # a Redis, and Heed itself
    assert users(STARTS) == {"alerts/embedded.py", "alerts/keeper.py", "models/environment.py"} | benchmark


@pytest.mark.parametrize("name", ["eval", "exec", "compile", "__import__"])
def test_no_text_is_run(name: str) -> None:
    assert users({name}) == set()


def test_nothing_is_unpickled() -> None:
    assert users(RUNS) == {"models/video.py"}  # which imports the name of pickle's error
    video = ast.parse((ROOT / "models" / "video.py").read_text(encoding="utf-8"))
    assert [name for name in names(video) if name.startswith("pickle")] == ["pickle", "pickle.UnpicklingError"]


def test_weights_are_loaded_as_data() -> None:
    calls = [
        (path, {word.arg: ast.unparse(word.value) for word in node.keywords})
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"torch.load", "np.load", "numpy.load"}
    ]
    assert {path for path, _ in calls} >= {"models/fit.py", "models/network.py", "models/video.py", "export/parity.py"}
    for path, words in calls:
        assert words.get("weights_only") == "True" or words.get("allow_pickle") == "False", path


def test_the_page_is_linked() -> None:
    assert (ROOT / "docs" / "security.md").exists()
    assert "docs/security.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "docs/security.md" in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
