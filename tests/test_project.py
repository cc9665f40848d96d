"""Checks on the tree itself: what a linter doesn't look at and a reader would trip over."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "tlscope"

LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Each exception with the reason why a split would not help the reader. An entry that is no longer needed fails too.
LONG_FILES = {
    "config.py": "one list: each setting beside what it means",
    "violations.py": "one table: a row for each way a peer can break a rule",
    "wire/extensions.py": "one table: a codec for each extension, in the order of the registry",
}
LONG_FUNCTIONS = {
    "cli/connect.py:connect": "the signature is the command's options and their help; the body is short",
    "cli/serve.py:serve": "the signature is the command's options and their help; the body is short",
    "handshake/client13.py:client_handshake_13": "a flow reads in one piece, in the order of the RFC's figure",
    "handshake/server13.py:server_handshake_13": "a flow reads in one piece, in the order of the RFC's figure",
}


@cache
def tracked() -> tuple[Path, ...]:
    """The files under version control."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, parsed, by its path below the package."""
    return {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text("utf-8"), str(path))
        for path in sorted(SOURCE.rglob("*.py"))
    }


def imports(tree: ast.Module) -> set[str]:
    """The absolute names a module imports, each as deep as the import statement names it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_lock_files_name_no_address() -> None:
    locks = [*ROOT.glob("*requirements*.txt"), *ROOT.glob("*.lock")]
    assert len(locks) >= 2
    assert [path.name for path in locks if "://" in path.read_text("utf-8")] == []


def test_every_locked_package_has_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for entry in re.split(r"\n(?=\S)", text(name)):
            if not entry.startswith("#"):
                assert re.match(r"[a-z0-9-]+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", entry), f"{name}: {entry[:80]}"


def test_no_file_contains_the_path_of_this_checkout() -> None:
    if len(ROOT.parts) < 3:
        pytest.skip(f"{ROOT} is too short a path to tell from other text")
    own = re.compile(rb"(?<![\w./-])" + re.escape(str(ROOT).encode()) + rb"(?![\w-])")
    assert [path.relative_to(ROOT) for path in tracked() if own.search(path.read_bytes())] == []


def test_every_public_module_says_what_it_is_for() -> None:
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []


def test_long_files_are_few_and_have_a_reason() -> None:
    long = {name for name in modules() if (SOURCE / name).read_text("utf-8").count("\n") > LONGEST_FILE}
    assert long == LONG_FILES.keys(), f"over {LONGEST_FILE} lines: split it, or say why not in LONG_FILES"


def test_long_functions_are_few_and_have_a_reason() -> None:
    long = {
        f"{name}:{node.name}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == LONG_FUNCTIONS.keys(), f"over {LONGEST_FUNCTION} lines: split it, or say why not in LONG_FUNCTIONS"


def test_ciphers_and_key_derivation_are_used_in_crypto_alone() -> None:
    part = r"cryptography\.hazmat\.(bindings|primitives\.(ciphers|kdf|hmac|cmac|poly1305|keywrap|hpke))"
    users = {name for name, tree in modules().items() if any(re.match(part, used) for used in imports(tree))}
    assert {name.split("/")[0] for name in users} == {"crypto"}


def test_randomness_has_one_source_in_the_core() -> None:
    rooms = (
        "wire",
        "crypto",
        "keys",
        "record",
        "trust",
        "handshake",
        "connection",
        "engine",
        "config",
        "sessions",
        "replay",
    )
    users = {
        name
        for name, tree in modules().items()
        if name.startswith(rooms)
        and (
            imports(tree) & {"os.urandom", "random", "secrets"}
            or any(isinstance(node, ast.Attribute) and node.attr == "urandom" for node in ast.walk(tree))
        )
    }
    assert users == {"crypto/randomness.py"}


def test_the_version_is_the_installed_one() -> None:
    from tlscope._version import __version__

    try:
        installed = importlib.metadata.version("tlscope")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tlscope is not installed, only on the path")
    assert installed == __version__


def test_documents_name_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        page = document.read_text("utf-8")
        fenced = "\n".join(page.split("```")[1::2])
        commands = re.findall(r"(?<!`)`make ([^`]+)`", page)
        commands += re.findall(r"^(?:\$ )?make ([^#\n]+)", fenced, re.MULTILINE)
        words = {word for command in commands for word in re.sub(r'"[^"]*"', "", command).split() if "=" not in word}
        assert words <= targets, f"{document.name} names make targets that are none: {sorted(words - targets)}"


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(want for extra in project["project"]["optional-dependencies"].values() for want in extra),
        *re.findall(r"^[a-z].*", text("requirements-dev.in"), re.MULTILINE),
    ]
    page = text("docs/dependencies.md")
    assert [name for want in wanted if f"[{(name := re.split(r'[<>=!~; ]', want)[0])}]" not in page] == []


def test_the_list_of_rfcs_is_the_list_of_those_cited() -> None:
    cited: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for run in re.findall(r"RFCs? ?\d{3,5}\b(?:(?:, | and |, and )\d{3,5}\b)*", path.read_text("utf-8")):
            cited.update(re.findall(r"\d{3,5}", run))
    listed = set(re.findall(r"^\| (\d{3,5}) \|", text("docs/rfcs.md"), re.MULTILINE))
    assert listed - cited == set(), "docs/rfcs.md lists these, and no source cites them"
    assert cited - listed == set(), "give each a row in docs/rfcs.md"


def test_names_of_test_files_are_unique() -> None:
    # Without __init__.py files pytest imports a test module by its bare name.
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
