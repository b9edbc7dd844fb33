"""Does the real TensorBoard read the event files? python tensorboard_test.py VENV SEARCH FOLDER

Makes the virtual environment VENV with the package tensorboard, unless it is there, runs the program SEARCH with --tensorboard, kills it
in an epoch that no checkpoint has, lets it go on, and compares what TensorBoard finds with metrics.csv and weights.csv: each epoch, once.
"""
import csv
import math
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path


def environment(folder):
    python = folder / "bin" / "python"
    ready = folder / "tensorboard-complete"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "tensorboard"]
        if subprocess.run(command).returncode != 0:
            print("NOT TESTED: pip did not install tensorboard. Is there a network?")
            sys.exit(1)
        ready.touch()
    return python


def close(read, written):
    return math.isclose(read, written, rel_tol=1e-3, abs_tol=1e-5)


def compare(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    compared = 0

    def check(tag, epoch, written):
        nonlocal compared
        found = [e.value for e in events.Scalars(tag) if e.step == epoch]
        assert len(found) == 1 and close(found[0], written), (tag, epoch, found, written)
        compared += 1

    with open(folder / "metrics.csv", newline="") as file:
        for row in csv.DictReader(file):
            for tag, column in (
                ("accuracy/before", "held_out_before"),
                ("accuracy/after", "held_out_after"),
                ("loss/train", "train_loss"),
                ("regularizer/op_entropy", "op_entropy"),
                ("regularizer/edge_entropy_factor", "edge_entropy_factor"),
            ):
                check(tag, int(row["epoch"]), float(row[column]))
    with open(folder / "weights.csv", newline="") as file:
        for row in csv.DictReader(file):
            edge = f"{row['cell']}/{row['from']}-{row['to']}"
            check(f"edge_weights_{edge}", int(row["epoch"]), float(row["edge_weight"]))
            check(f"op_weights_{edge}/sep_conv_3x3", int(row["epoch"]), float(row["sep_conv_3x3"]))
    print(f"TensorBoard reads {len(events.Tags()['scalars'])} tags; {compared} values are those of the CSV files")


def main():
    if sys.argv[1] == "--compare":
        compare(Path(sys.argv[2]))
        return
    python = environment(Path(sys.argv[1]))
    folder = Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    tiny = "--channels 8 --cells 2 --epochs 5 --images 128 --held-out 64 --batch 32 --budget 3 --quiet --tensorboard"
    command = [sys.argv[2], *tiny.split(), "--out", str(folder), "--checkpoint-every", "2", "epochs"]
    events = folder / "events.out.tfevents.crispnas"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not (events.exists() and events.read_bytes().count(b"accuracy/before") == 3):
            time.sleep(0.005)
        killed.kill()
    resumed = subprocess.run([*command, "--resume"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "goes on from epoch" in resumed, resumed
    sys.exit(subprocess.run([python, __file__, "--compare", str(folder)]).returncode)


if __name__ == "__main__":
    main()
