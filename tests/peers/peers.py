"""Runs learners on streams, each pair in a process of its own, and writes docs/benchmarks.md. See `run`."""
import argparse
import datetime
import functools
import hashlib
import json
import math
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import models
import speed
import streams

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
RESULTS = TOP / ".peers" / "results.jsonl"
SPEEDS = TOP / ".peers" / "speed.json"
PAGE = TOP / "docs" / "benchmarks.md"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder of gzip CSV streams")
    parser.add_argument("--only", default="", help="streams whose names begin with one of these, by commas")
    parser.add_argument("--models", default="", help="only these models, by commas, in this order")
    parser.add_argument("--budget", type=int, default=600, help="CPU-seconds after which a model on a stream is given up")
    parser.add_argument("--speed", action="store_true", help="measure only the speed of single parts, see speed.py")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has PyTorch, to be measured with --speed")
    parser.add_argument("--page", action="store_true", help="run nothing: write the page from the results that are there")
    parser.add_argument("--rows", type=int, help="only the first rows: a short form, no page is written")
    parser.add_argument("--again", action="store_true", help="forget earlier results")
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "STREAM"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run_here(*args.one, args.rows)))
        return
    if args.speed:
        SPEEDS.write_text(json.dumps({"at": datetime.date.today().isoformat(), "lines": list(speed.run(args.torch))}))
        args.page = True
    results = {} if args.again or args.rows else read_results()
    wanted = [name for name in args.models.split(",") if name]
    unknown = set(wanted) - {*models.OURS, *models.DEFAULTS, *models.TUNED}
    if unknown:
        sys.exit(f"no models {sorted(unknown)}; there are {[*models.OURS, *models.DEFAULTS, *models.TUNED]}")
    prefixes = tuple(name for name in args.only.split(",") if name) or ("",)
    paths = [path for path in streams.paths(args.data) if path.name.startswith(prefixes)]
    if not paths:
        sys.exit(f"no stream in {args.data} begins with one of {prefixes}")
    # Models in order, each on all streams: what is cheap and said most about comes first, so that a run that is stopped leaves
    # whole rows of the tables.
    for model in [] if args.page else wanted or [*models.OURS, *models.DEFAULTS, *models.TUNED]:
        for path in paths:
            name = path.name.removesuffix(".csv.gz")
            if is_done(results.get((name, model)), model, args.budget):
                continue
            result = run_apart(model, path, args)
            result |= {"stream": name, "model": model, "at": datetime.date.today().isoformat(), "build": build(model), "budget": args.budget}
            results[name, model] = result
            print("{stream:22} {model:32} {accuracy} {rate}".format(
                **result | {"accuracy": shown(result), "rate": speed_of(result) + " rows/CPU-s"}), flush=True)
            if not args.rows:
                RESULTS.parent.mkdir(exist_ok=True)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(result) + "\n")
    if not args.rows:
        PAGE.write_text(page(results))
        print(f"wrote {PAGE}")


def is_done(result, model, budget):
    """What took too long is tried again when it is given more."""
    if result is None or result.get("build") != build(model):
        return False
    return "failed" not in result or result["budget"] >= budget


@functools.cache
def build_digest():
    return hashlib.sha256((TOP / "target/release/tidewheel").read_bytes()).hexdigest()


def build(model):
    """What a result is of: one of an older build of ours is not kept."""
    return build_digest() if model in models.OURS else None


def read_results():
    if not RESULTS.exists():
        return {}
    lines = map(json.loads, RESULTS.read_text().splitlines())
    return {(line["stream"], line["model"]): line for line in lines}


def run_here(model, path, rows):
    stream = streams.Stream(path, rows)
    evaluate = (models.DEFAULTS | models.TUNED)[model]()
    accuracy, cpu = evaluate(stream)
    return {"accuracy": accuracy, "cpu_seconds": cpu, "rows": len(stream)}


def run_apart(model, path, args):
    if model in models.OURS:
        return run_ours(model, path, args)
    command = [sys.executable, __file__, "--data", args.data, "--one", model, str(path)]
    if args.rows:
        command += ["--rows", str(args.rows)]
    done = within(command, args.budget)
    if done.returncode != 0:
        return {"failed": why(done, args.budget)}
    return json.loads(done.stdout.strip().splitlines()[-1])


def within(command, budget):
    """Runs a command that may use `budget` seconds of processor time, over all its threads: a machine that is shared, or
    stopped now and then, cannot make it fail."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (budget, budget + 5))
    return subprocess.run(command, capture_output=True, text=True, env=single_threaded(), preexec_fn=limit)


def why(done, budget):
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return [f"more than {budget} CPU-s"]
    return done.stderr.strip().splitlines()[-1:] or ["no message"]


def run_ours(model, path, args):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        file = path
        if args.rows:
            file = Path(folder) / "short.csv"
            head(path, file, args.rows)
        command = [TOP / "target/release/tidewheel", "replay", file, "--learner", model, "--report", report]
        done = within(command, args.budget)
        if done.returncode != 0:
            return {"failed": why(done, args.budget)}
        read = json.loads(report.read_text())
        return {"accuracy": read["metrics"]["accuracy"], "cpu_seconds": read["cpu_seconds"], "rows": read["rows"]}


def head(path, file, rows):
    import gzip

    with gzip.open(path, "rt") as source, file.open("w") as target:
        target.writelines(line for _, line in zip(range(rows + 1), source))


def single_threaded():
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def shown(result):
    return f"{result['accuracy']:.4f}" if "accuracy" in result else "–"


def speed_of(result):
    if "accuracy" not in result:
        return "–"
    rate = result["rows"] / max(result["cpu_seconds"], 1e-9)
    return f"{rate:,.0f}"


def page(results):
    names = sorted({stream for stream, _ in results})
    known = [*models.OURS, *models.DEFAULTS, *models.TUNED]
    lines = [
        "# Benchmarks",
        "",
        "Written by `tests/peers/run --data DIR`; each model ran in a process of its own, on the same machine:",
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, on "
        + " to ".join(sorted({min(dates(results)), max(dates(results))})) + ".",
        "Prequential accuracy over the whole stream, label delay 0, every row counted; it is the same on every run. A dash: the",
        "model was not run to the end, and why is below. Tidewheel's learners run with their defaults, which were chosen while",
        "looking at these streams; the peers' are shown with the library's defaults and, in the last table, with the best of a",
        "small grid on each stream, chosen afterwards.",
        "",
        "Speeds are rows per second of processor time, over all threads of the process. On a machine that works on other things",
        "too, as this one may have, caches and processors are shared and speeds of one and the same program differ by half:",
        "compare only what differs by more.",
        "",
        "Tidewheel's results are of the build " + " and ".join(f"`{build[:12]}…`" for build in builds(results)) + " (SHA-256 of the binary).",
        "Best peers are the best of those that were run to the end: see the last section.",
        "",
    ]
    lines += ["## Accuracy", ""] + table(results, names, [*models.OURS, *models.DEFAULTS], shown)
    ceilings = [models.accuracy_ceiling(name) for name in names]
    lines += ["| *no learner can reach more than about* | " + " | ".join("" if math.isnan(c) else f"{c:.3f}" for c in ceilings) + " |", ""]
    lines += ["## The best of each stream", "", "| stream | `auto` | ceiling | best peer, defaults | best peer, tuned on this stream |", "| --- | --- | --- | --- | --- |"]
    for name, ceiling in zip(names, ceilings):
        best = [best_of(results, name, group) for group in (models.DEFAULTS, {**models.DEFAULTS, **models.TUNED})]
        ours = results.get((name, "auto"), {})
        lines.append(f"| {name} | {shown(ours)} | {'' if math.isnan(ceiling) else ceiling} | {best[0]} | {best[1]} |")
    tuned = [model for model in models.TUNED if any("accuracy" in results.get((name, model), {}) for name in names)]
    lines += ["", "The grid, as far as it was run:", ""] + table(results, names, tuned, shown)
    lines += ["", "## Rows per CPU-second", "", "Ours with reading, decoding and scoring; River's without parsing; VW's with the parsing of its text format; MOA's with", "that of ARFF, and with Java's compiler and collector.", ""]
    lines += table(results, names, [*models.OURS, *models.DEFAULTS], speed_of) + [""]
    lines += speeds()
    failed = [(key, " ".join(result["failed"])) for key, result in sorted(results.items()) if "failed" in result]
    lines += ["## Not run to the end", ""]
    lines += [f"- `{model}` on {stream}: {why[:160]}" for (stream, model), why in failed]
    for model in known:
        missing = [name for name in names if (name, model) not in results]
        if missing:
            where = "any stream" if len(missing) == len(names) else ", ".join(missing)
            lines.append(f"- `{model}` was not finished on {where}: the run was stopped before")
    return "\n".join(lines) + "\n"


def speeds():
    if not SPEEDS.exists():
        return []
    found = json.loads(SPEEDS.read_text())
    lines = [
        "## Single parts",
        "",
        f"Written by `tests/peers/run --speed`, one after the other in one run, on {found['at']}; examples per second of processor",
        "time. VW's has its parsing thread; ours from VW text reads, parses and hashes the same file.",
        "",
        "| work | | examples per CPU-second | |",
        "| --- | --- | --- | --- |",
    ]
    return lines + [f"| {work} | {who} | {rate:,.0f} | {note} |" for work, who, rate, note in found["lines"]] + [""]


def builds(results):
    return sorted({result["build"] for result in results.values() if result.get("build")})


def dates(results):
    return [result["at"] for result in results.values()] or [datetime.date.today().isoformat()]


def table(results, names, rows, form):
    lines = ["| model | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for model in rows:
        cells = [form(results.get((name, model), {})) for name in names]
        lines.append(f"| `{model}` | " + " | ".join(cells) + " |")
    return lines


def best_of(results, name, group):
    scored = [(results[name, model]["accuracy"], model) for model in group if "accuracy" in results.get((name, model), {})]
    if not scored:
        return "–"
    accuracy, model = max(scored)
    return f"{accuracy:.4f} {model}"


if __name__ == "__main__":
    main()
