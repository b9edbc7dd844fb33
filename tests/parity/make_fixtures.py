"""Runs the published super-networks on random weights and images and writes what they compute, for parity_test.cpp.

    python make_fixtures.py --pc-darts DIR --darts DIR --daas DIR --fair-darts DIR --autodl DIR --out tests/parity

Each DIR is the folder of the published repository that holds model_search.py (AutoDL: the root of the repository). Give any of them;
each makes its own files. Needs PyTorch and numpy alone. Nothing of the published code is kept: only names, shapes and numbers.
"""
import argparse
import ast
import copy
import importlib
import json
import pathlib
import struct
import sys
import types

import torch
import torch.nn as nn
import torch.nn.functional as F

DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64"}
SGD = dict(lr=0.05, momentum=0.9, weight_decay=3e-4)
ADAM = dict(lr=0.02, betas=(0.5, 0.999), weight_decay=1e-3)
CLIP = 5.0
FAIR_SGD = dict(lr=0.005, momentum=0.9, weight_decay=3e-4)  # the defaults of FairDARTS's train_search.py
FAIR_ADAM = dict(lr=3e-3, betas=(0.9, 0.999), weight_decay=1e-3)
ETA = 0.05  # rate of the weights in the unrolled step
STEPS, BATCHES = 10, 6
CHANNELS, CELLS, CLASSES, BATCH, SIZE = 4, 3, 5, 4, 16


def save(path, tensors, texts=None):
    """A .safetensors file, written by hand: largest elements first, so that all are aligned."""
    tensors = {k: v.detach().contiguous() for k, v in tensors.items()}
    names = sorted(tensors, key=lambda k: (-tensors[k].element_size(), k))
    header, data, at = ({"__metadata__": texts} if texts else {}), [], 0
    for name in names:
        blob = tensors[name].numpy().tobytes()
        header[name] = dict(dtype=DTYPES[tensors[name].dtype], shape=list(tensors[name].shape), data_offsets=[at, at + len(blob)])
        at += len(blob)
        data.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))
    print(path, path.stat().st_size)


def on_cpu():
    """The published code moves things to a GPU; here it stays where it is."""
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    nn.Module.cuda = lambda self, *args, **kwargs: self


def load(folder, *names):
    """Modules of a folder that import one another by their bare names."""
    for name in list(sys.modules):
        if getattr(sys.modules[name], "__file__", None) and name in load.bare:
            del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        return [importlib.import_module(n) for n in names]
    finally:
        sys.path.pop(0)


load.bare = {"model", "model_search", "architect", "operations", "genotypes", "utils", "MinEntropyLoss", "dimension", "separate_loss"}


def randomize(net, seed):
    """Weights and statistics that are no initial values, and exact in float32, so that both precisions start from the same."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=g, dtype=torch.float32).double()
            if p.dim() == 1:
                value = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
            else:
                value = noise * (1.0 / p[0].numel()) ** 0.5
            p.copy_(value.float())
        for name, b in net.named_buffers():
            noise = torch.randn(b.shape, generator=g, dtype=torch.float32)
            if name.endswith("running_mean"):
                b.copy_(0.1 * noise)
            elif name.endswith("running_var"):
                b.copy_((0.2 * noise).exp())
    return g


def batches(g):
    """Images and labels: step s trains the weights on batch 2 s and alpha and beta on batch 2 s + 1, counted modulo BATCHES."""
    images = torch.randn(BATCHES, BATCH, 3, SIZE, SIZE, generator=g)
    labels = torch.randint(CLASSES, (BATCHES, BATCH), generator=g)
    return images, labels


def joined(named):
    """One vector of all values, in the order of the names: a thousand small tensors would be mostly header."""
    return torch.cat([value.detach().reshape(-1) for _, value in sorted(named.items())])


def weight_step(net, optimizer, loss):
    """The lower level of the published training loops."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), CLIP)
    optimizer.step()


class Parity:
    """One published super-network behind one interface. `searched` are alpha and beta by published name."""

    def __init__(self, make, searched, loss, genotypes=None, unrolled=None, lower=None, sgd=SGD, adam=ADAM):
        self.make, self.searched, self.loss, self.unrolled, self.sgd, self.adam = make, searched, loss, unrolled, sgd, adam
        self.genotypes = genotypes or {}  # what picks cells, by name
        self.lower = lower or (lambda net, logits, labels: F.cross_entropy(logits, labels))  # the loss that trains the weights

    def fresh(self, state, arch, dtype):
        torch.set_default_dtype(dtype)
        net = self.make().to(dtype)
        mine = net.state_dict().keys()  # AutoDL's alpha is among them
        given = {k: v for k, v in {**state, **arch}.items() if k in mine}
        net.load_state_dict({k: v.to(dtype) if v.is_floating_point() else v for k, v in given.items()})
        with torch.no_grad():
            for name, value in arch.items():
                self.searched(net)[name].data = value.to(dtype)
        net.train()
        return net

    def run(self, name, out, seed):
        torch.set_default_dtype(torch.float32)
        torch.manual_seed(seed)
        net = self.make()
        g = randomize(net, seed)
        arch = {}
        for key, value in self.searched(net).items():
            spread = 0.4 if "beta" in key else 0.7
            arch[key] = (value.detach() + spread * torch.randn(value.shape, generator=g)).float()
        state = {k: v.clone() for k, v in net.state_dict().items() if k not in arch}
        # The batch counters of a checkpoint are kept once, to show that they are read over.
        counted = {k: v for k, v in state.items() if name == "pc_darts" or not k.endswith("num_batches_tracked")}
        save(out / f"{name}.state.safetensors", {**counted, **arch})
        images, labels = batches(g)
        result = {"images": images.flatten(0, 1), "labels": labels.flatten()}
        for dtype, suffix in ((torch.float64, ""), (torch.float32, ".f32")):
            x, y = images.to(dtype), labels
            if dtype == torch.float64:  # all images, by the statistics of the checkpoint
                net = self.fresh(state, arch, dtype).eval()
                with torch.no_grad():
                    logits = net(x.flatten(0, 1))
                result["logits.stored"] = logits[-1] if isinstance(logits, tuple) else logits
            net = self.fresh(state, arch, dtype)
            searched = self.searched(net)
            logits = net(x[1])
            logits = logits[-1] if isinstance(logits, tuple) else logits
            terms = self.loss(net, logits, y[1])
            loss = terms.pop("loss")
            weights = [(k, p) for k, p in net.named_parameters() if k not in searched]
            grads = torch.autograd.grad(loss, list(searched.values()) + [p for _, p in weights], allow_unused=True)
            result["logits" + suffix], result["loss" + suffix] = logits, loss
            for key, value in terms.items():
                result[f"term.{key}{suffix}"] = value
            for key, grad in zip(searched, grads):
                result[f"grad.{key}{suffix}"] = grad
            named = {k: torch.zeros_like(p) if g_ is None else g_ for (k, p), g_ in zip(weights, grads[len(searched):])}
            if dtype == torch.float64:  # float32 is compared with these, too
                result["grad.weights"] = joined(named)
            net.eval()
            with torch.no_grad():
                evaluated = net(x[1])
                result["logits.eval" + suffix] = evaluated[-1] if isinstance(evaluated, tuple) else evaluated
            if self.unrolled:
                for momentum in ("", ".momentum"):
                    net = self.fresh(state, arch, dtype)
                    searched = self.searched(net)
                    weights = [p for k, p in net.named_parameters() if k not in searched]
                    optimizer = torch.optim.SGD(weights, **SGD)
                    if momentum:  # one step before, so that the velocities are not zero
                        logits = net(x[2])
                        weight_step(net, optimizer, F.cross_entropy(logits[-1] if isinstance(logits, tuple) else logits, y[2]))
                    self.unrolled(net, optimizer, x[0], y[0], x[1], y[1])
                    for key, value in self.searched(net).items():
                        result[f"unrolled{momentum}.{key}{suffix}"] = value.grad
        # Ten bilevel steps, first order, in double.
        net = self.fresh(state, arch, torch.float64)
        x = images.double()
        searched = list(self.searched(net).values())
        kept = {id(p) for p in searched}
        weights = [p for p in net.parameters() if id(p) not in kept]
        adam, sgd = torch.optim.Adam(searched, **self.adam), torch.optim.SGD(weights, **self.sgd)
        losses = []
        for step in range(STEPS):
            adam.zero_grad()
            lower_batch, upper_batch = 2 * step % BATCHES, (2 * step + 1) % BATCHES
            logits = net(x[upper_batch])
            upper = self.loss(net, logits[-1] if isinstance(logits, tuple) else logits, labels[upper_batch])["loss"]
            upper.backward()
            adam.step()
            sgd.zero_grad()
            logits = net(x[lower_batch])
            lower = self.lower(net, logits[-1] if isinstance(logits, tuple) else logits, labels[lower_batch])
            lower.backward()
            nn.utils.clip_grad_norm_(weights, CLIP)
            sgd.step()
            losses.append(torch.stack([upper.detach(), lower.detach()]))
            if step == 0:
                result["statistics"] = joined({k: b for k, b in net.named_buffers() if b.is_floating_point()})
        result["steps.losses"] = torch.stack(losses)
        for key, value in self.searched(net).items():
            result[f"steps.{key}"] = value
        for key in ("stem.0.weight", "stem.1.weight", "classifier.weight", "classifier.bias"):
            result[f"steps.{key}"] = dict(net.named_parameters())[key]
        if self.genotypes:
            self.pick(result, state, arch)
        save(out / f"{name}.expected.safetensors", result)

    def pick(self, result, state, arch, cases=20):
        """Cells picked from random alpha and beta: [case, cell type, gene, (op, from) or what the method writes], -1 where there is none."""
        g = torch.Generator().manual_seed(99)
        given, picked = {k: [] for k in arch}, {k: [] for k in self.genotypes}
        for _ in range(cases):
            torch.set_default_dtype(torch.float64)
            drawn = {k: (v + torch.randn(v.shape, generator=g)).double() for k, v in arch.items()}
            net = self.fresh(state, drawn, torch.float64)
            for k, v in drawn.items():
                given[k].append(v.clone())
            for name, genotype in self.genotypes.items():
                picked[name].append(genotype(net))
        for k, v in given.items():
            result[f"genotypes.{k}"] = torch.stack(v)
        for name, cells in picked.items():
            longest = max(len(genes) for case in cells for genes in case)
            width = max(len(gene) for case in cells for genes in case for gene in genes)
            padded = [[[*genes, *[[-1] * width] * (longest - len(genes))] for genes in case] for case in cells]
            result[f"genotypes.{name}"] = torch.tensor(padded)


def pairs(genotype, ops):
    return [[[ops.index(op), source] for op, source in cell] for cell in (genotype.normal, genotype.reduce)]


def by_attribute(*names):
    return lambda net: {n: getattr(net, n) for n in names}


def unrolled_by(architect):
    """The published architect, its optimizer put aside: leaves the gradient of the unrolled loss in alpha and beta."""

    def run(net, optimizer, x_train, y_train, x_arch, y_arch):
        args = types.SimpleNamespace(momentum=SGD["momentum"], weight_decay=SGD["weight_decay"], arch_learning_rate=0.0,
                                     arch_weight_decay=0.0)
        owner = architect.Architect(net, args)
        owner._backward_step_unrolled(x_train, y_train, x_arch, y_arch, ETA, optimizer)

    return run


def cross_entropy(net, logits, labels):
    return {"loss": F.cross_entropy(logits, labels)}


def darts(folder, partial):
    model, architect, genotypes = load(folder, "model_search", "architect", "genotypes")
    names = ["alphas_normal", "alphas_reduce"] + (["betas_normal", "betas_reduce"] if partial else [])
    channels = 2 * CHANNELS if partial else CHANNELS
    make = lambda: model.Network(channels, CLASSES, CELLS, nn.CrossEntropyLoss())
    return Parity(make, by_attribute(*names), cross_entropy, {"picked": lambda net: pairs(net.genotype(), genotypes.PRIMITIVES)},
                  unrolled_by(architect))


def daas(folder):
    model, losses, genotypes = load(folder, "model_search", "MinEntropyLoss", "genotypes")
    epoch = 30
    names = ["alphas_normal", "alphas_reduce"] + [f"beta_{kind}{row}" for kind in ("normal", "reduce") for row in range(3)]
    criterion = losses.minEntropyLoss()

    def searched(net):
        return {n: getattr(net, n) for n in names}

    def loss(net, logits, labels):
        total, ops, edges = criterion(logits, labels, alpha=net._arch_parameters, beta=net._beta_parameters, epoch=epoch)
        return {"loss": total, "ops": ops, "edges": edges}

    def genotype(net):
        with torch.no_grad():  # the published function writes into a leaf
            return pairs(net.genotype(), genotypes.PRIMITIVES)

    return Parity(lambda: model.Network(CHANNELS, CLASSES, CELLS, criterion), searched, loss, {"picked": genotype})


def fair_darts(folder):
    """As its train_search.py runs by default: bilevel, its separation loss in both levels."""
    model, separate, genotypes = load(folder, "model_search", "separate_loss", "genotypes")
    names = ["alphas_normal", "alphas_reduce"]
    criterion = separate.ConvSeparateLoss(weight=10)

    def loss(net, logits, labels):
        total, _, _ = criterion(logits, labels, torch.sigmoid(torch.cat([net.alphas_normal, net.alphas_reduce], dim=0)))
        return {"loss": total}

    def picked(method):
        def genotype(net):
            net.parse_method, net.op_threshold = method, 0.85
            cells = net.genotype()
            return [[[genotypes.PRIMITIVES.index(op), to, source] for op, to, source in cell] for cell in (cells.normal, cells.reduce)]

        return genotype

    return Parity(lambda: model.Network(CHANNELS, CLASSES, CELLS, criterion), by_attribute(*names), loss,
                  {"sparse": picked("threshold_sparse"), "edge": picked("threshold_edge")},
                  lower=lambda net, logits, labels: loss(net, logits, labels)["loss"], sgd=FAIR_SGD, adam=FAIR_ADAM)


def autodl(root):
    """The searchable network of NAS-Bench-201, without the rest of its package."""
    package = types.ModuleType("xautodl")
    package.__path__ = [str(root / "xautodl")]
    models = types.ModuleType("xautodl.models")
    models.__path__ = [str(root / "xautodl" / "models")]
    searches = types.ModuleType("xautodl.models.cell_searchs")
    searches.__path__ = [str(root / "xautodl" / "models" / "cell_searchs")]
    sys.modules.update({"xautodl": package, "xautodl.models": models, "xautodl.models.cell_searchs": searches})
    model = importlib.import_module("xautodl.models.cell_searchs.search_model_darts")
    ops = importlib.import_module("xautodl.models.cell_operations").NAS_BENCH_201
    make = lambda: model.TinyNetworkDarts(CHANNELS, 1, 4, CLASSES, ops, False, True)
    genotype = lambda net: [[[ops.index(op), source] for node in net.genotype().nodes for op, source in node]]
    # Its second order is in a script; the functions alone are taken out of it, since the script imports data sets and the benchmark.
    script = root / "exps" / "NAS-Bench-201-algos" / "DARTS-V2.py"
    unrolled = None
    if script.exists():
        tree = ast.parse(script.read_text())
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)
                     and node.name in ("_concat", "_hessian_vector_product", "backward_step_unrolled")]
        names = {"torch": torch, "np": importlib.import_module("numpy"), "deepcopy": copy.deepcopy}
        exec(compile(tree, str(script), "exec"), names)

        def unrolled(net, optimizer, x_train, y_train, x_arch, y_arch):
            names["backward_step_unrolled"](nn.DataParallel(net), F.cross_entropy, x_train, y_train, optimizer, x_arch, y_arch)

    return Parity(make, by_attribute("arch_parameters"), cross_entropy, {"picked": genotype}, unrolled)


def by_formula(net):
    """Weights and statistics that follow from name and place, so that a file need not hold them: derived_parity_test.cpp does the same."""
    named = [(k, v) for k, v in [*net.named_parameters(), *net.named_buffers()] if v.is_floating_point()]
    with torch.no_grad():
        for n, (name, value) in enumerate(sorted(named, key=lambda pair: pair[0])):
            wave = torch.sin(0.61 * torch.arange(value.numel(), dtype=torch.float64) + 1.7 * n).reshape(value.shape)
            if value.dim() > 1:
                value.copy_(wave * (3.0 / value[0].numel()) ** 0.5)
            elif name.endswith("running_var"):
                value.copy_((0.2 * wave).exp())
            else:
                value.copy_(0.1 * wave + (1.0 if name.endswith("weight") else 0.0))


def derived(texts, name, make, size, batch=2):
    """A derived network in double: logits in training and evaluation, of the auxiliary head, and a gradient."""
    torch.set_default_dtype(torch.float64)
    net = make()
    by_formula(net)
    texts[name] = "\n".join(sorted(k for k in net.state_dict() if not k.endswith("num_batches_tracked")))
    net.drop_path_prob = 0.0
    x = torch.sin(0.731 * torch.arange(batch * 3 * size * size, dtype=torch.float64)).reshape(batch, 3, size, size)
    net.eval()
    with torch.no_grad():
        first = net(x)
    net.train()
    both = net(x)
    if name == "nas_bench_201":  # its network gives features, then logits
        first, both = (first[1], None), (both[1], None)
    loss = both[0].square().sum() + (0.0 if both[1] is None else 0.4 * both[1].square().sum())
    loss.backward()
    named = dict(net.named_parameters())
    result = {"eval": first[0], "logits": both[0],
              "gradients": torch.stack([(p.grad * torch.arange(1, p.numel() + 1).reshape(p.shape).sin()).sum()
                                        for _, p in sorted(named.items())])}
    if both[1] is not None:
        result["auxiliary"] = both[1]
    return {f"{name}.{key}": value for key, value in result.items()}


def derived_networks(args):
    result, texts = {}, {}
    if args.darts:
        model, genotypes = load(args.darts.resolve(), "model", "genotypes")
        # Four cells: the auxiliary head changes its input in place, which a cell behind it does not notice.
        for name in ("DARTS_V2", "NASNet"):
            make = lambda: model.NetworkCIFAR(4, CLASSES, 4, True, getattr(genotypes, name))
            result |= derived(texts, f"cifar.{name}", make, 32)
        result |= derived(texts, "imagenet.DARTS_V2", lambda: model.NetworkImageNet(4, CLASSES, 4, True, genotypes.DARTS_V2), 224)
    if args.autodl:
        autodl(args.autodl.resolve())
        infers = types.ModuleType("xautodl.models.cell_infers")
        infers.__path__ = [str(args.autodl.resolve() / "xautodl" / "models" / "cell_infers")]
        sys.modules["xautodl.models.cell_infers"] = infers
        tiny = importlib.import_module("xautodl.models.cell_infers.tiny_network").TinyNetwork
        cell = [(("nor_conv_3x3", 0),), (("avg_pool_3x3", 0), ("nor_conv_1x1", 1)), (("skip_connect", 0), ("none", 1), ("nor_conv_3x3", 2))]

        class nodes(list):  # its cells count one node more than they list
            def __len__(self):
                return list.__len__(self) + 1

        result |= derived(texts, "nas_bench_201", lambda: tiny(4, 1, nodes(cell), CLASSES), 16)
    if result:
        save(args.out / "derived.expected.safetensors", result, texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    makers = {"pc-darts": lambda p: darts(p, True), "darts": lambda p: darts(p, False), "daas": daas, "fair-darts": fair_darts,
              "autodl": autodl}
    for name in makers:
        parser.add_argument(f"--{name}", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--derived-only", action="store_true", help="only the derived networks")
    args = parser.parse_args()
    torch.set_num_threads(1)
    on_cpu()
    for name in ("matplotlib", "matplotlib.pyplot"):  # imported for pictures that nobody draws here
        sys.modules.setdefault(name, types.ModuleType(name))
    for seed, (name, make) in enumerate(makers.items(), start=1):
        folder = getattr(args, name.replace("-", "_"))
        if folder:
            if not args.derived_only:
                make(folder.resolve()).run(name.replace("-", "_"), args.out, seed)
    derived_networks(args)


if __name__ == "__main__":
    main()
