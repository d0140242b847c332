"""Downloads that resume, with a checksum and a file per process."""

import http.client
import os
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

from skrec.utils._files import abandoned_parts, new_part

__all__ = ["DownloadError", "downloaded", "read_checksum"]

_BLOCK = 1 << 18
_TIMEOUT = 30  # seconds without a byte


class DownloadError(OSError):
    """A file could not be downloaded."""


@contextmanager
def downloaded(url, path, known_hash, *, n_retries=3, delay=1.0, progress=False):
    """A block with a downloaded file that no other process reads, changes or removes.

    After a failure the downloaded part stays as ``path.part``. The next call continues with that
    part, or with the part that a killed process has left. Several processes may call at once:
    each has its own file.

    Parameters
    ----------
    url : str
    path : pathlib.Path
        Name of the file; its folder must exist.
    known_hash : str
        Hash in pooch's form, such as "md5:0e33...".
    n_retries : int, default=3
        Number of further tries, each from where the last try stopped.
    delay : float, default=1.0
        Seconds between two tries.
    progress : bool, default=False
        Whether to show a progress bar.

    Yields
    ------
    file : pathlib.Path
        Removed after the block.

    Raises
    ------
    DownloadError
        If the file cannot be downloaded; names the cause.
    ValueError
        If the checksum differs.
    """
    import pooch

    part = _first_part(path)
    try:
        _fetch(url, part, n_retries, delay, progress)
    except BaseException:
        if part.exists():
            os.replace(part, _left(path))
        raise
    try:
        algorithm, digest = known_hash.split(":")
        if pooch.file_hash(part, algorithm) != digest:
            raise ValueError(
                f"The file from {url} is not the expected one: its checksum is not {known_hash}. "
                "The download was deleted; try again, or check whether a proxy changes it."
            )
        yield part
    finally:
        part.unlink(missing_ok=True)


def _left(path):
    return path.with_name(f"{path.name}.part")


def _first_part(path):
    """A file of this process alone, with the part that an earlier process has left."""
    part = new_part(path)
    left = [_left(path), *abandoned_parts(path.parent, path)]
    for other in left:
        # If several processes want the same part, one gets it.
        with suppress(FileNotFoundError):
            os.rename(other, part)
            break
    for other in left[1:]:
        with suppress(FileNotFoundError):
            other.unlink()
    return part


def read_checksum(url, *, n_retries=3, delay=1.0):
    """Download the published md5 of a file.

    Parameters
    ----------
    url : str
        Address of a small text such as "MD5 (x.zip) = 0e33..." or "0e33...  x.zip".
    n_retries : int, default=3
    delay : float, default=1.0

    Returns
    -------
    known_hash : str
        "md5:...".

    Raises
    ------
    DownloadError
        If the text cannot be downloaded.
    ValueError
        If the text holds no md5.
    """
    for attempt in range(n_retries + 1):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
                text = response.read(4096).decode("ascii", errors="replace")
            break
        except (OSError, http.client.HTTPException) as error:
            if attempt == n_retries or _is_final(error):
                raise DownloadError(f"{url}: {error}") from error
            time.sleep(delay)
    words = text.replace("=", " ").lower().split()
    found = [word for word in words if len(word) == 32 and set(word) <= set("0123456789abcdef")]
    if not found:
        raise ValueError(f"{url} holds no md5. Got {text[:80]!r}.")
    return f"md5:{found[0]}"


def _fetch(url, part, n_retries, delay, progress):
    for attempt in range(n_retries + 1):
        try:
            _append(url, part, progress)
            return
        except (OSError, http.client.HTTPException) as error:
            if attempt == n_retries or _is_final(error):
                raise DownloadError(f"{url}: {error}") from error
            time.sleep(delay)


def _append(url, part, progress):
    """Request the missing bytes and append them to the file."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "skrec"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # no byte is missing, or the checksum will fail
            return
        raise
    with response:
        resumed = response.status == 206
        start = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        # Unbuffered: after a kill, the next process can continue from every byte received.
        mode = "ab" if resumed else "wb"
        with open(part, mode, buffering=0) as file, _bar(start, total, progress) as bar:
            while block := response.read1(_BLOCK):
                file.write(block)
                bar.update(len(block))
    size = part.stat().st_size
    if total is not None and size < total:
        raise ConnectionError(f"the connection ended after {size} of {total} bytes")


def _bar(start, total, progress):
    from tqdm import tqdm

    return tqdm(
        initial=start, total=total, unit="B", unit_scale=True, desc="download", disable=not progress
    )


def _is_final(error):
    # Another try does not help if the server has refused the request.
    return isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500
