"""Tests that packages are complete and can be installed, from the clone or built."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT, Server

PROJECT = pathlib.Path(__file__).parents[1]
NEEDED = {
    "modelgateway/__init__.py",
    "modelgateway/compat.py",
    "modelgateway/py.typed",
    "modelgateway/engine/__init__.py",
    "modelgateway/engine/v1/engine_pb2.py",
    "modelgateway/engine/v1/engine_pb2_grpc.py",
    "modelgateway/v1/service_pb2.py",
    "modelgateway/v1/service_pb2.pyi",
    "modelgateway/v1/service_pb2_grpc.py",
}
USE = """
import modelgateway, modelgateway.compat, modelgateway.engine, modelgateway.v1.service_pb2_grpc
print(modelgateway.__file__, modelgateway.v1.service_pb2_grpc.__file__)
"""


def build(kind: str, source: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    """Builds with the back end in pyproject.toml, as pip does."""
    call = f"import setuptools.build_meta as b; b.build_{kind}({str(out)!r})"
    subprocess.run([sys.executable, "-c", call], cwd=source, check=True, capture_output=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the files that the build reads, so that it writes nothing into the clone."""
    root = tmp_path / "clone"
    ignore = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*")
    shutil.copytree(PROJECT, root / "clients/python", symlinks=True, ignore=ignore)
    shutil.copytree(PROJECT.parents[1] / "gen/python", root / "gen/python", ignore=ignore)
    return root / "clients/python"


# A program that uses the package, with the address of a server.
CALL = """
import sys, modelgateway
with modelgateway.Client(sys.argv[1]) as client:
    print(modelgateway.__file__, client.chat("Hello", model="tutor").served_by.model)
"""


def interpreters() -> list[str]:
    """Returns the interpreters of this machine that the package supports, also those that pyenv has."""
    found = []
    for name in (f"python3.{minor}" for minor in range(10, 15)):
        installed = [shutil.which(name), *sorted(pathlib.Path.home().glob(f".pyenv/versions/*/bin/{name}"))]
        for path in filter(None, installed):
            if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                found.append(str(path))
                break
    return found


def environment(python: str, where: pathlib.Path, package: pathlib.Path, wheels: str) -> pathlib.Path:
    """Makes an environment with nothing but a package and what it needs, without a network. Returns its Python."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(where)], check=True, capture_output=True)
    inside = where / "bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(inside), "install", "--quiet", "--no-index"]
    done = subprocess.run([*install, "--find-links", wheels, str(package)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return inside


@pytest.mark.parametrize(
    ("python", "kind"), [*((python, "wheel") for python in interpreters()), (interpreters()[-1], "sdist")]
)
def test_install_into_a_clean_environment(
    python: str, kind: str, checkout: pathlib.Path, tmp_path: pathlib.Path, server: Server
) -> None:
    tools = subprocess.run([ROOT / "scripts/tools.sh", "wheels"], check=True, capture_output=True, text=True)
    out = tmp_path / "built"
    out.mkdir()
    package = build(kind, checkout, out)
    shutil.rmtree(tmp_path / "clone")
    inside = environment(python, tmp_path / "env", package, tools.stdout.strip())
    # -I: without the folder and the variables of this test.
    called = subprocess.run([inside, "-I", "-c", CALL, server.grpc], check=True, capture_output=True, text=True)
    file, model = called.stdout.split()
    assert file.startswith(str(tmp_path / "env")) and model == "tutor"


def test_wheel_and_sdist_contain_the_generated_code(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "sdist").mkdir()
    sdist = build("sdist", checkout, tmp_path / "sdist")
    (tmp_path / "unpacked").mkdir()
    # Not tarfile: newer versions of Python warn without filter="data", which that of Debian 12 lacks.
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path / "unpacked"], check=True)
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not any(path.is_symlink() for path in unpacked.rglob("*"))
    # Build the wheel from the sdist, without the clone.
    shutil.rmtree(tmp_path / "clone" / "gen")
    (tmp_path / "wheel").mkdir()
    wheel = build("wheel", unpacked, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= NEEDED
    assert not any("test" in name for name in names)


def test_install_from_the_clone(checkout: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(checkout)], check=True, capture_output=True)
    shutil.rmtree(tmp_path / "clone")
    used = subprocess.run(
        [sys.executable, "-c", USE],
        env={"PYTHONPATH": str(target)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert all(path.startswith(str(target)) for path in used.stdout.split())
