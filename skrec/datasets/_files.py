"""Identify a file by its first bytes, and open it."""

import bz2
import errno
import gzip
import io
import lzma
import re
import zipfile
import zlib
from contextlib import contextmanager

__all__ = ["HEAD", "file_kind", "is_plain", "open_binary", "plain_errors"]

HEAD = 1 << 16  # number of bytes at the start of a file that identify it
_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_READ = {
    b"PAR1": "parquet",
    b"ARROW1\0\0": "arrow",
    b"FEA1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
    b"ORC": "orc",
    b"%%MatrixMarket": "matrix market",
}
# Name of the kind of file, and the remedy.
_REFUSED = {
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "read it with pandas.read_hdf and pass the frame"),
    b"SQLite format 3\0": ("an SQLite database", "read the table with pandas.read_sql and pass "
                           "the frame"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel or Office file", "save the sheet as CSV"),
    b"\x93NUMPY": ("a single array of NumPy", "pass numpy.load(path), or save the log with "
                   "numpy.savez(path, user=..., item=...)"),
    b"%PDF": ("a PDF document", "save the table as CSV"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it"),
    b"Rar!": ("a RAR archive", "unpack it"),
    b"\x1f\x9d": ("a file of Unix compress", "unpack it"),
    b"\x04\x22\x4d\x18": ("an lz4 file", "unpack it"),
    b"Obj\x01": ("an Avro file", "convert it to parquet or CSV"),
    b"MATLAB 5.0": ("a MATLAB file", "read it with scipy.io.loadmat"),
    b"RDX": ("an R data file", "save the table in R with write.csv"),
    b"\x89PNG": ("a picture", "give the log itself"),
    b"\xff\xd8\xff": ("a picture", "give the log itself"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file", "fetch the file with "
                                 "git lfs pull"),
}  # fmt: skip
_BINARY = (".npz", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".orc", ".xlsx", ".xls")
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95c}\](\x8c]")
_HTML = re.compile(rb"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<(\?xml|[A-Za-z]\w*(\s[^<>]*)?>\s*<)")
_SQL = re.compile(
    rb"(?>\s|--[^\n]*\n|/\*.*?\*/;?)*+"
    rb"(INSERT\s+INTO\s+\S+\s*(\(|VALUES)|CREATE\s+TABLE\s|DROP\s+TABLE\s|COPY\s+\S+\s*\()",
    re.IGNORECASE | re.DOTALL,
)
# Patterns of all first lines except blank ones. Otherwise such lines would be read as odd ids.
_LINES = (
    (re.compile(rb"\([^()]*,[^()]*\)[,;]?"), "a list of tuples as Python prints it",
     "write it with the csv module, or pass the list"),
    (re.compile(rb"[-+]?\d+(\.\d+)?(,\d+)*( +\d+:[-+.\deE]+)+"), "in the format of LIBSVM",
     "read it with sklearn.datasets.load_svmlight_file and fit the matrix"),
    (re.compile(rb"[-+.\d]+ ([-+.\d]+ )?\|\w+ .*"), "in the format of Vowpal Wabbit",
     "convert it to CSV"),
)  # fmt: skip
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\]\"]|\[\s*-?\d[^\r\n]*\]\s*([\r\n]|\Z))")
_PYTHON = re.compile(rb"\s*\{\s*u?'")


def file_kind(path, encoding="utf-8"):
    """Identify the kind of a file by its first bytes, whatever its name.

    Parameters
    ----------
    path : pathlib.Path
    encoding : str, default="utf-8"
        Encoding of text.

    Returns
    -------
    kind : {"text", "json", "npz", "parquet", "arrow", "orc", "matrix market"}

    Raises
    ------
    ValueError
        If skrec does not read this kind of file; names the remedy.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_ZIP) and _zip_kind(path) == "npz":
        return "npz"
    with plain_errors(path), open_binary(path) as file:
        head = file.read(HEAD)
    for magic, kind in _READ.items():
        if head.startswith(magic):
            return kind
    _refuse(path, head)
    if path.suffix.lower() in _BINARY:
        raise ValueError(
            f"{path} cannot be read as {path.suffix}: it begins with {head[:12]!r}. Expected a "
            f"{path.suffix} file; fetch or save it again, or rename it to .csv if it is text."
        )
    head = head.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in head[:8]:  # text with two or four bytes per character
        head = head.decode(encoding, errors="ignore").lstrip("\ufeff").encode(errors="ignore")
    return "json" if _JSON.match(head) else "text"


def is_plain(path):
    """Whether a file as a whole is uncompressed."""
    with path.open("rb") as file:
        return not file.read(6).startswith((*_ZIP, _GZIP, _BZIP2, _XZ, _ZSTD))


@contextmanager
def open_binary(path):
    """Open a file for reading bytes, decompressed as its first bytes say.

    Parameters
    ----------
    path : pathlib.Path or RemoteFile

    Yields
    ------
    file : binary file
    """
    with path.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        if magic.startswith(_ZIP):
            with zipfile.ZipFile(raw) as archive, archive.open(_only_member(path, archive)) as file:
                yield file
            return
        if magic.startswith(_ZSTD):
            import pyarrow as pa

            with pa.input_stream(raw, compression="zstd") as file:
                yield io.BufferedReader(file)
            return
        openers = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}
        opener = next((one for start, one in openers.items() if magic.startswith(start)), None)
        if opener is None:
            yield raw
            return
        with opener(raw, "rb") as file:
            yield file


@contextmanager
def plain_errors(path):
    """Turn errors of damaged compressed data into a ValueError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    except NotImplementedError as error:
        raise ValueError(
            f"{path} is compressed in a way that Python cannot read ({error}). Expected gzip, "
            "bzip2, xz, zstd or zip; unpack it."
        ) from error
    except OSError as error:
        # gzip, bz2 and pyarrow raise a plain OSError for damaged data. Errors of the system have
        # a number; EINVAL means a seek beyond the file, which damaged data cause too.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(path, error) from error


def _damaged(path, error):
    return ValueError(
        f"{path} is compressed and damaged or cut off ({error}). Expected a complete file; fetch "
        "or write it again."
    )


def _zip_kind(path):
    with plain_errors(path), path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
        names = archive.namelist()
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    office = "[Content_Types].xml" in names or "mimetype" in names
    if office:
        raise ValueError(
            f"{path} is a workbook or document of an office program. Expected a log as text, "
            "parquet or npz; save the sheet as CSV, or pass the frame of pandas.read_excel."
        )
    return "zip"


def _only_member(path, archive):
    members = [
        info
        for info in archive.infolist()
        if not info.filename.endswith("/") and not info.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        names = [info.filename for info in members]
        raise ValueError(
            f"{path} is a zip archive of {len(members)} files: {_few(names)}. Expected one; unpack "
            "it and pass the path of the log."
        )
    if members[0].flag_bits & 1:
        raise ValueError(f"{path} is a zip archive with a password. Expected none; unpack it.")
    return members[0]


def _few(names):
    return f"{names[:5]}" + (" and more" if len(names) > 5 else "")


def _refuse(path, head):
    for magic, (what, remedy) in _REFUSED.items():
        if head.startswith(magic):
            raise _other(path, what, remedy)
    if _PICKLE.match(head):
        raise _other(
            path, "a pickle, which can run any code when it is loaded",
            "load it yourself if you trust it, and pass the frame",
        )  # fmt: skip
    if head[257:262] == b"ustar":
        raise _other(path, "a tar archive", "unpack it and pass the path of the log")
    if _HTML.match(head):
        raise _other(path, "an HTML page, perhaps the error page of a download", "fetch it again")
    if _XML.match(head) and any(end in head for end in (b"<?", b"</", b"/>")):
        raise _other(path, "XML", "convert it to CSV")
    if _SQL.match(head):
        raise _other(path, "a script of SQL", "load it and export the table as CSV")
    if head[:9].lower() == b"@relation":
        raise _other(path, "an ARFF file", "read it with scipy.io.arff and pass the columns")
    _refuse_lines(path, head)


def _is_rule(line):
    """Whether a line is only a rule between rows, such as ``|---|---|``."""
    drawn = not line.strip(b" \t|+:=-")
    return drawn and (b"--" in line or b"==" in line) and (b"|" in line or b"+" in line)


def _refuse_lines(path, head):
    """Refuse text whose lines are not fields between delimiters."""
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf")[:4096].splitlines()]
    if len(head) > 4096 and len(lines) > 1:
        lines = lines[:-1]  # cut off in the middle
    lines = [line for line in lines if line]
    if any(map(_is_rule, lines[:3])):
        raise _other(path, "a table with ruled lines (Markdown, psql)", "save it as CSV")
    for pattern, what, remedy in _LINES:
        if len(lines) > 1 and all(map(pattern.fullmatch, lines)):
            raise _other(path, what, remedy)
    if _PYTHON.match(head):
        raise _other(
            path, "a file of Python literals, not JSON",
            "convert each line with json.dumps(ast.literal_eval(line))",
        )  # fmt: skip
    if head.startswith((*_ZIP, _GZIP, _BZIP2 + b"9", _XZ, _ZSTD)):
        raise _other(path, "compressed twice", "decompress it once")


def _other(path, what, remedy):
    return ValueError(
        f"{path} is {what}. Expected an interaction log as text (CSV), JSON, parquet, Arrow or "
        f"npz; {remedy}."
    )
