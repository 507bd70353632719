"""The speed of single parts beside the peers' on the same work, one core, CPU-seconds: the sparse linear learner with and
without the parsing of VW's text format, and the multi-layer perceptron. `peers.py --speed` runs it."""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "target/release/examples"
# Lines of the file that the sparse learners read.
LINES = 300_000
BITS = 22
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}


def run(torch_python):
    """[work, who, examples per CPU-second, note] of each."""
    return [*hashed(), *text(), *perceptron(torch_python)]


def hashed():
    work = f"linear, 30 hashed features a row, 2^{BITS} weights"
    for step, categories, given, rate, *_ in table("hashed", BITS, LINES):
        hashing = "texts hashed" if given == "text" else "hashes given"
        yield work, f"Tidewheel `ftrl`, step {step}", float(rate), f"{categories} categories, {hashing}"


def text():
    work = f"the same from VW text, {LINES:,} lines"
    with tempfile.NamedTemporaryFile(suffix=".vw") as file:
        table("vw", "--write", file.name, LINES, header=False)
        for step, _, rate, accuracy, _ in table("vw", file.name, BITS):
            yield work, f"Tidewheel `ftrl`, step {step}", float(rate), f"accuracy {accuracy}"
        found = apart(sys.executable, "vowpal", file.name)
        yield work, "Vowpal Wabbit", found["rate"], f"accuracy {found['accuracy']:.4f}"
        found = apart(sys.executable, "vowpal", file.name)
        yield work, "Vowpal Wabbit, again", found["rate"], f"accuracy {found['accuracy']:.4f}"


def perceptron(torch_python):
    work = "multi-layer perceptron 32-64-64-1, mini-batches of 256"
    for engine, step, rate, *_ in table("mlp", 500_000, 256):
        yield work, f"Tidewheel `mlp`, engine {engine}", float(rate), step
    for step in ("Sgd", "Adam"):
        if torch_python:
            found = apart(torch_python, "pytorch", step)
            yield work, f"PyTorch {found['version']}, eager", found["rate"], step


def table(example, *arguments, header=True):
    """The lines that an example prints, in words, without their header."""
    done = subprocess.run([EXAMPLES / example, *map(str, arguments)], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()[1 if header else 0:]]


def apart(python, function, argument):
    command = [python, __file__, function, argument]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout)


def vowpal(path):
    import vowpalwabbit

    start = time.process_time()
    workspace = vowpalwabbit.Workspace(f"--quiet -d {path} -b {BITS} --loss_function logistic --binary")
    cpu = time.process_time() - start
    examples = workspace.get_weighted_examples()
    return {"rate": examples / cpu, "accuracy": 1 - workspace.get_sum_loss() / examples}


def pytorch(step):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    layers = [torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)]
    model = torch.nn.Sequential(*layers)
    optimiser = (torch.optim.SGD if step == "Sgd" else torch.optim.Adam)(model.parameters(), lr=0.01)
    rows = torch.rand(64, 256, 32) * 2 - 1
    targets = rows[:, :, :1] * rows[:, :, 1:2] + rows[:, :, 2:3].abs() + rows[:, :, 3:4]
    examples = 0
    for measured in (False, True):
        start = time.process_time()
        for call in range(1_000 if measured else 50):
            loss = 0.5 * ((model(rows[call % 64]) - targets[call % 64]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            examples += 256 * measured
        cpu = time.process_time() - start
    return {"rate": examples / cpu, "version": torch.__version__}


if __name__ == "__main__":
    print(json.dumps({"vowpal": vowpal, "pytorch": pytorch}[sys.argv[1]](sys.argv[2])))
