"""Does the real TensorBoard read the event files? python tensorboard_test.py VENV SEARCH FOLDER

Makes the virtual environment VENV with the package tensorboard, unless it is there, runs the program SEARCH with --tensorboard, and
compares what TensorBoard finds with metrics.csv and weights.csv.
"""
import csv
import math
import subprocess
import sys
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

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
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
    for old in (folder / "tensorboard").glob("*tfevents*"):
        old.unlink()
    tiny = "--channels 8 --cells 2 --epochs 2 --images 128 --held-out 64 --batch 32 --budget 3 --quiet --tensorboard"
    subprocess.run([sys.argv[2], *tiny.split(), "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    sys.exit(subprocess.run([python, __file__, "--compare", str(folder)]).returncode)


if __name__ == "__main__":
    main()
