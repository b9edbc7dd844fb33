"""Does an exported module compute in plain PyTorch what crispnas computes?

python python_module_test.py EXPORT FOLDER: EXPORT is the program, FOLDER is emptied. Every network gets weights and batch-norm
statistics that are far from the initial ones, so that nothing is hidden behind ones and zeros.
"""
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-5  # of the largest logit

# 3 edges of 14: a node is dead in each cell. Then nodes with one, three and five ops, two of them on one edge.
THREE = (
    "Genotype(normal=[1->3 sep_conv_3x3, 3->4 skip_connect, 0->5 dil_conv_5x5], normal_concat=[3, 4, 5], "
    "reduce=[0->2 max_pool_3x3, 1->4 skip_connect, 4->5 dil_conv_3x3], reduce_concat=[2, 4, 5])"
)
MANY = (
    "Genotype(normal=[0->2 none, 0->2 sep_conv_5x5, 1->2 avg_pool_3x3, 2->3 sep_conv_3x3, 0->4 skip_connect, "
    "1->4 max_pool_3x3, 2->4 sep_conv_7x7, 3->4 dil_conv_3x3, 3->4 skip_connect], normal_concat=[3, 4], "
    "reduce=[1->2 skip_connect, 0->3 none, 0->3 avg_pool_3x3], reduce_concat=[2, 3])"
)
ONE_INPUT = "Genotype(inputs=1, nodes=2, normal=[0->1 sep_conv_3x3, 0->2 skip_connect, 1->2 max_pool_3x3], normal_concat=[1, 2])"
RESIDUAL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
STACKED = ["--network", "cifar", "--channels", "6", "--cells", "4"]
IMAGENET = ["--network", "imagenet", "--channels", "4", "--cells", "5", "--classes", "7"]
NETWORKS = {
    "cifar": ["--genotype", "darts_v2", "--auxiliary", *STACKED],
    "cifar_of_many_ops": ["--genotype", "amoebanet", *STACKED],
    "cifar_3_of_14": ["--genotype", THREE, *STACKED, "--image-channels", "1"],
    "cifar_any_budget": ["--genotype", MANY, *STACKED],
    "cifar_fairdarts": ["--genotype", "fairdarts_a", *STACKED],
    "cifar_one_input": ["--genotype", ONE_INPUT, *STACKED],
    "imagenet": ["--genotype", "darts_v2", "--auxiliary", *IMAGENET],
    "imagenet_3_of_14": ["--genotype", THREE, *IMAGENET],
    "nas_bench_201": ["--genotype", RESIDUAL, "--channels", "4", "--cells", "2"],
}


def run_export(program, folder, arguments):
    subprocess.run([program, *arguments, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)


def module_of(folder):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scattered(state, generator):
    def value(name, tensor):
        random = torch.rand(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            return 0.5 + random
        if tensor.dim() > 1:
            return (2 * random - 1) * (3 / tensor[0].numel()) ** 0.5
        return 0.2 * (2 * random - 1) + (1 if name.endswith("weight") else 0)

    return {name: value(name, state[name]) for name in sorted(state)}


def check(program, folder, arguments):
    run_export(program, folder, arguments)
    weights = folder.parent / f"{folder.name}.safetensors"
    save_file(scattered(load_file(folder / "model.safetensors"), torch.Generator().manual_seed(1)), weights)
    run_export(program, folder, [*arguments, "--weights", str(weights)])
    module = module_of(folder)
    difference = module.check()
    assert difference <= TOLERANCE, f"logits differ by {difference:.1e} of the largest"
    example = load_file(folder / "example.safetensors")
    spread = (example["logits"][0] - example["logits"][1]).abs().max()
    assert spread > 100 * TOLERANCE * example["logits"].abs().max(), "the logits do not depend on the images"

    # It trains: every parameter gets a gradient, the auxiliary head's included.
    network = module.load().train()
    out = network(example["images"])
    assert isinstance(out, tuple) == ("--auxiliary" in arguments)
    sum(part.square().sum() for part in (out if isinstance(out, tuple) else (out,))).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert not without, f"no gradient: {without}"

    # The comparison is able to fail: one weight is changed.
    state = load_file(folder / "model.safetensors")
    state["classifier.weight"][0, 0] += 1.0
    save_file(state, folder / "model.safetensors")
    assert module.check() > TOLERANCE, "a changed weight goes unnoticed"
    return difference


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    torch.set_num_threads(1)
    for name, arguments in NETWORKS.items():
        print(f"{name}: {check(program, folder / name, arguments):.1e}")
    print(f"{len(NETWORKS)} networks: the same logits to {TOLERANCE:g}")


if __name__ == "__main__":
    main()
