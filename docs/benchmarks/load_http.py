"""Load on ``python -m skrec serve``: latencies at a steady rate, errors, memory.

    python docs/benchmarks/load_http.py --seconds 600 --rate 200

A model (EASE by default: 20,000 items, text ids) is saved, and served by one process. Requests of
28 ids leave at fixed times, 200 a second, whether or not earlier ones have been answered, and each
latency counts from the time at which its request should have left: the latencies show a service
that falls behind. The client keeps 32 connections. It is plain asyncio, and runs in a process of
its own on the same machine, so server and client have a core each on a machine of two.

An empty handler is measured too: a FastAPI application in the same server (uvicorn) that reads a
body of the same size and answers with a body of the same size. The difference is skrec's own;
"processor_ms" is the processor time of a request, which other work on the machine does not change.
The two take turns: a part of the seconds for each, several times. At the end the model file is
replaced under load, and no request may fail.

Results go to ``results/load_http.json``: latencies in milliseconds, errors, and the memory of the
server after the first requests and at the end.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _record import write
from bench_one_user import data, drawn_ease

import skrec
from skrec.decomposition import WMF
from skrec.neighbors import ItemKNN
from skrec.preprocessing import InteractionEncoder

CONNECTIONS, HISTORY = 32, 28
EMPTY = """
import json
import sys
import uvicorn
from fastapi import FastAPI, Request, Response

application = FastAPI()
answer = json.dumps({"items": [{"id": f"item-{i:07d}", "score": i / 3} for i in range(10)]})


@application.post("/recommend")
async def recommend(request: Request):
    await request.body()
    return Response(answer, media_type="application/json")


uvicorn.run(application, port=int(sys.argv[1]), access_log=False, log_level="error")
"""


def saved_model(name, n_items, folder):
    X = data(2000, n_items, 30 * 2000)
    model = {
        "ease": lambda: drawn_ease(n_items),
        "itemknn": lambda: ItemKNN(100, n_jobs=1).fit(X),
        "wmf": lambda: WMF(64, max_iter=2, dtype="float32", random_state=0, n_jobs=1).fit(X),
    }[name]()
    ids = np.array([f"item-{i:07d}" for i in range(n_items)])
    encoder = InteractionEncoder.from_ids(np.arange(X.shape[0]), ids)
    return skrec.save({"model": model, "encoder": encoder}, Path(folder) / "model.skops"), ids


def requests(n, ids):
    """Raw requests; a client that makes them anew would be measured, too."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        history = rng.choice(ids, HISTORY, replace=False).tolist()
        body = json.dumps({"history": history, "k": 10}).encode()
        head = f"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(head.encode() + body)
    return found


async def connection(port, waiting, latencies, errors):
    """Send what comes, one request after another on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (one := await waiting.get()) is not None:
        due, content = one
        try:
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                errors.append(head[:40].decode())
            latencies.append(time.perf_counter() - due)
        except (OSError, asyncio.IncompleteReadError) as error:
            errors.append(repr(error))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def load(port, rate, seconds, contents):
    """Latencies and errors of a steady rate."""
    waiting, latencies, errors = asyncio.Queue(), [], []
    tasks = [
        asyncio.create_task(connection(port, waiting, latencies, errors))
        for _ in range(CONNECTIONS)
    ]
    start = time.perf_counter() + 0.1
    for number in range(int(rate * seconds)):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        waiting.put_nowait((due, contents[number % len(contents)]))
    for _ in tasks:
        waiting.put_nowait(None)
    await asyncio.gather(*tasks)
    return latencies, errors


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def started(words, port):
    """A process that listens at a port."""
    process = subprocess.Popen(words)
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{words} does not listen")


def memory_mib(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024, 1)


def processor_seconds(process):
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def figures(latencies, errors):
    milliseconds = 1000 * np.array(latencies)
    parts = {f"p{p}_ms": round(float(np.percentile(milliseconds, p)), 3) for p in (50, 90, 99)}
    return {
        "requests": len(latencies),
        "errors": len(errors),
        "first_errors": errors[:3],
        "mean_ms": round(float(milliseconds.mean()), 3),
        **parts,
        "max_ms": round(float(milliseconds.max()), 3),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", default="load_http", help="name of the record")
    parser.add_argument("--model", choices=("ease", "itemknn", "wmf"), default="ease")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the model, in all")
    parser.add_argument("--turns", type=int, default=5, help="the empty handler has a tenth each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, ids = saved_model(options.model, options.items, folder)
        contents = requests(500, ids)
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY)
        ports = {"skrec": free_port(), "empty": free_port()}
        serve = [sys.executable, "-m", "skrec", "serve", str(path), "--log-level", "warning"]
        serve += ["--port", str(ports["skrec"])]
        empty = [sys.executable, str(script), str(ports["empty"])]
        processes = {
            "skrec": started(serve, ports["skrec"]), "empty": started(empty, ports["empty"])
        }  # fmt: skip
        try:
            result = measured_load(options, processes, ports, contents, path)
        finally:
            for process in processes.values():
                process.terminate()
    write(options.record, result)


def measured_load(options, processes, ports, contents, path):
    for port in ports.values():
        asyncio.run(load(port, options.rate, 2, contents))
    before = memory_mib(processes["skrec"])
    found = {name: ([], []) for name in ports}
    used = {name: -processor_seconds(process) for name, process in processes.items()}
    for turn in range(options.turns):
        for name, share in (("empty", 0.1), ("skrec", 1.0)):
            seconds = share * options.seconds / options.turns
            parts = asyncio.run(load(ports[name], options.rate, seconds, contents))
            for all_of_them, part in zip(found[name], parts, strict=True):
                all_of_them += part
        print(f"turn {turn + 1} of {options.turns}", file=sys.stderr)
    after = memory_mib(processes["skrec"])
    used = {name: used[name] + processor_seconds(process) for name, process in processes.items()}
    replaced = path.with_suffix(".new")
    shutil.copy(path, replaced)
    os.replace(replaced, path)  # another inode: it is read again, while requests come
    again = asyncio.run(load(ports["skrec"], options.rate, 10, contents))
    results = {name: figures(*parts) for name, parts in found.items()}
    for name, row in results.items():
        row["processor_ms"] = round(1000 * used[name] / max(1, row["requests"]), 3)
    difference = {
        name: round(results["skrec"][name] - results["empty"][name], 3)
        for name in ("mean_ms", "p50_ms", "p99_ms", "processor_ms")
    }
    return {
        "what": "latency of /recommend at a steady rate, beside an empty handler",
        "model": options.model,
        "items": options.items,
        "rate": options.rate,
        "seconds": options.seconds,
        "load_average_5_min": round(os.getloadavg()[1], 1),
        "results": results,
        "more_than_empty": difference,
        "while_the_file_is_replaced": figures(*again),
        "memory_mib": {"after 2 s": before, "at the end": after},
    }


if __name__ == "__main__":
    main()
