"""Reading memory limits from made-up /proc and /sys trees."""

import sys

import pytest

from skrec.utils import _memory
from skrec.utils._memory import available_memory, check_memory, format_bytes

MEMINFO = "MemTotal: 16000000 kB\nMemFree: 1000 kB\nMemAvailable: 8000000 kB\n"


def tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def group_v2(folder, limit, usage, cache=0):
    stat = f"anon 5\ninactive_file {cache}\nactive_file 7\n"
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{usage}\n",
        f"{folder}/memory.stat": stat,
    }


def test_meminfo_alone(tmp_path):
    assert available_memory(root=tree(tmp_path, {"proc/meminfo": MEMINFO})) == 8_192_000_000


def test_cgroup_v2_counts_page_cache_as_free(tmp_path):
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n"}
    files |= group_v2("sys/fs/cgroup", 1000, 600, cache=100)
    assert available_memory(root=tree(tmp_path, files)) == 1000 - 600 + 100 + 7


def test_cgroup_v2_takes_the_tightest_level(tmp_path):
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/user/job\n"}
    files |= group_v2("sys/fs/cgroup/user/job", "max", 600)
    files |= group_v2("sys/fs/cgroup/user", 5000, 600)
    files |= group_v2("sys/fs/cgroup", 9000, 600)
    assert available_memory(root=tree(tmp_path, files)) == 4407


def test_cgroup_v2_in_a_container_that_shows_the_path_outside(tmp_path):
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/docker/abc\n"}
    files |= group_v2("sys/fs/cgroup", 3000, 2900)
    assert available_memory(root=tree(tmp_path, files)) == 107


def test_cgroup_v1(tmp_path):
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "3:cpu,cpuacct:/\n2:memory:/slurm\n",
        "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": "4000\n",
        "sys/fs/cgroup/memory/slurm/memory.usage_in_bytes": "1500\n",
        "sys/fs/cgroup/memory/slurm/memory.stat": "total_inactive_file 20\ntotal_active_file 3\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500\n",
    }
    assert available_memory(root=tree(tmp_path, files)) == 2523


def test_usage_above_the_limit_leaves_nothing(tmp_path):
    files = {"proc/self/cgroup": "0::/\n"} | group_v2("sys/fs/cgroup", 1000, 2000)
    assert available_memory(root=tree(tmp_path, files)) == 0


def test_systems_without_proc(tmp_path, monkeypatch):
    pages = {"SC_AVPHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(_memory.os, "sysconf", pages.__getitem__, raising=False)
    assert available_memory(root=tmp_path) == 40_960

    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(_memory.os, "sysconf", unknown, raising=False)
    assert available_memory(root=tmp_path) is None
    monkeypatch.delattr(_memory.os, "sysconf")
    assert available_memory(root=tmp_path) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_machine():
    assert 10**6 < available_memory() < 10**15


def test_check_memory(monkeypatch):
    check_memory(100, "It", ["wait"], available=100)
    with pytest.raises(MemoryError) as caught:
        check_memory(3_000_000, "It", ["wait", "buy more"], available=2000)
    assert str(caught.value) == (
        "It needs 3 MB of memory, but only 2 kB are available. Remedies: wait; buy more."
    )
    monkeypatch.setattr(_memory, "available_memory", lambda: 99)
    with pytest.raises(MemoryError, match="only 99 bytes"):
        check_memory(100, "It", ["wait"])
    monkeypatch.setattr(_memory, "available_memory", lambda: None)
    check_memory(10**18, "It", ["wait"])


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (6_717_767_444, "6.72 GB"),
     (3 * 10**15, "3e+03 TB")],
)  # fmt: skip
def test_format_bytes(n_bytes, text):
    assert format_bytes(n_bytes) == text
