"""Makes the seeds of the fuzzed readers: python make_corpus.py FOLDER. They are committed in corpus/; this says how they came about.
Needs Pillow for the JPEG files alone."""

import gzip
import hashlib
import io
import json
import pathlib
import struct
import sys

root = pathlib.Path(sys.argv[1])


def put(reader, name, data):
    folder = root / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def tensors(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


put("safetensors", "empty", tensors({}))
put("safetensors", "two", tensors({"__metadata__": {"format": "pt", "\u00e9": "\U0001f600"},
                                   "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
                                   "b": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]}}, bytes(32)))
put("safetensors", "no-elements", tensors({"a": {"dtype": "BF16", "shape": [0, 7], "data_offsets": [0, 0]},
                                           "b": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\1"))
put("safetensors", "too-large", tensors({"a": {"dtype": "F64", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, bytes(8)))

body = ('{"schema": 1,\n"generation": 12,\n"position": "epoch 3 of 50",\n"crispnas": "0.1.0",\n"libtorch": "2.11.0",\n"device": "cpu",\n'
        '"threads": 2,\n"configuration_sha256": "%s",\n"configuration": {\n  "epochs": "50",\n  "ops": "a \\"b\\""},\n"files": [\n'
        '  {"name": "state.safetensors", "bytes": 3, "sha256": "%s"}],\n"outputs": [\n  {"name": "metrics.csv", "bytes": 1234}]'
        % (hashlib.sha256(b'6:epochs2:503:ops5:a "b"').hexdigest(), hashlib.sha256(b"abc").hexdigest()))
put("manifest", "whole", body + ',\n"sha256": "%s"}\n' % hashlib.sha256(body.encode()).hexdigest())
put("manifest", "edited", body.replace("50", "60") + ',\n"sha256": "%s"}\n' % hashlib.sha256(body.encode()).hexdigest())
put("manifest", "traversal", body.replace("metrics.csv", "../metrics.csv") + ',\n"sha256": ""}\n')
put("manifest", "escapes", body.replace("epoch 3", "\\u001b[2J\\ud83d\\ude00") + ',\n"sha256": ""}\n')

pairs = "[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('dil_conv_5x5', 2)]"
put("genotype", "darts", f"DARTS = Genotype(normal={pairs}, normal_concat=range(2, 4), reduce={pairs}, reduce_concat=[2, 3])")
put("genotype", "pt_darts", "Genotype(normal=[[('a', 1), ('b', 0)], [('a', 2)]], normal_concat=range(2, 4), "
    "reduce=[[('a', 0)], [('b', 0), ('a', 1)]], reduce_concat=range(2, 4), connectN=None, connects=None)")
put("genotype", "fairdarts", "Genotype(normal=[('a', 2, 0), ('b', 3, 1)], normal_concat=range(2, 6), reduce=[('a', 4, 3)], reduce_concat=range(2, 6))")
put("genotype", "snas", "Genotype(normal=[('a', 0), ('none', 1), ('b', 0), ('none', 1), ('c', 2)], normal_concat=range(2, 4))")
put("genotype", "nas_bench_201", "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|")
put("genotype", "edge_list", "# mine\nmine = Genotype(inputs=1, nodes=3, normal=[0->1 a, 0->1 b.c:d-e, 1->3 c], normal_concat=[3])\n")

put("cifar", "one-of-10", bytes([7]) + bytes(i % 251 for i in range(3072)))
put("cifar", "one-of-100", bytes([19, 99]) + bytes(3072))
put("cifar", "a-label-too-large", bytes([200]) + bytes(3072))
put("cifar", "cut", bytes(1000))

put("idx", "images", struct.pack(">4I", 0x803, 2, 3, 4) + bytes(range(24)))
put("idx", "labels", struct.pack(">2I", 0x801, 5) + bytes([0, 9, 3, 4, 5]))
put("idx", "overflow", struct.pack(">4I", 0x803, 2**32 - 1, 65535, 65535) + bytes(8))
put("idx", "gzip", gzip.compress(b"x", mtime=0))

put("gzip", "text", gzip.compress(b"the same text, the same text, the same text", mtime=0))
put("gzip", "stored", gzip.compress(bytes(range(256)), 0, mtime=0))
put("gzip", "bomb", gzip.compress(bytes(2 << 20), 9, mtime=0))
put("gzip", "two", gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0))
put("gzip", "named", b"\x1f\x8b\x08\x1c\0\0\0\0\0\3\3\0abcname\0comment\0" + gzip.compress(b"x", mtime=0)[10:])

header = "CIFAR10TestAccuracy200Epochs,CIFAR100TestAccuracy200Epochs,ImageNetTestAccuracy200Epochs,ArchitectureString,UniqueString\r\n"
cell = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|none~2|"
put("nas_bench", "rows", header + f"84.1,55.5,28.93,{cell},x\r\n10.0,1.0,0.83,{cell.replace('avg_pool_3x3', 'none')},x\r\n")
put("nas_bench", "twice", header + f"84.1,55.5,28.93,{cell},x\n" * 2)
put("nas_bench", "a-word", header + f"84.1,many,28.93,{cell},x\n")


def ledger_line(line):
    state = 0xCBF29CE484222325
    for byte in json.dumps(line, sort_keys=True, separators=(",", ":")).encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return json.dumps({**line, "sum": f"{state:016x}"})


def of_kind(kind, result):
    return ledger_line({"hash": "a", "seed": 3, "configuration": {"kind": kind, "K": 4}, "device": "a CPU", "result": result})


def search_result(epochs=2, ops=14 * 7, edges=(14, 14)):
    weights = [[0.5] * ops for _ in range(2)]
    shares = [[0.25] * count if count else None for count in edges]
    return {"search_seconds": 2.5, "op_entropy": 0.5, "edge_entropy": None,
            "epochs": [{"epoch": e + 1, "train_loss": 2.5, "train_accuracy": 12.5, "arch_loss": None, "weight_rate": 0.1, "seconds": 1.5,
                        "terms": {"op_entropy": [1.5, 2]}, "ops": weights, "edges": shares} for e in range(epochs)],
            "cuts": [{"kept": 8, "genotype": f"Genotype(normal={genes}, normal_concat=range(2, 6), reduce={genes}, reduce_concat=range(2, 6))",
                      "gap": {"before": 50, "after": 12.5, "ops_cut": 25, "edges_cut": 25, "after_soft_edges": 12.5}}]}


put("ledger", "whole", of_kind("retraining", {"error": 12.5, "top5_error": 2.5, "loss": None}))
put("ledger", "edited", of_kind("retraining", {"error": 78.5}).replace("78.5", "98.5"))
genes = "[('skip_connect', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 2)]"
put("ledger", "search", of_kind("search", search_result()))
put("ledger", "without-edge-weights", of_kind("search", search_result(1, edges=(0, 0))))
# With a sum that is right, as somebody makes them who wants tables to read what is not there.
put("ledger", "few-ops", of_kind("search", search_result(1, ops=7)))
put("ledger", "few-edges", of_kind("search", search_result(1, edges=(14, 3))))
put("ledger", "no-epochs", of_kind("search", search_result(0)))
put("ledger", "no-cuts", of_kind("search", {**search_result(1), "cuts": []}))
put("ledger", "no-entropy", of_kind("search", {k: v for k, v in search_result(1).items() if k != "op_entropy"}))
no_terms = search_result()
no_terms["epochs"][0]["terms"] = {}
del no_terms["epochs"][1]["terms"]
put("ledger", "no-terms", of_kind("search", no_terms))
put("ledger", "no-error", of_kind("retraining", {}))
put("ledger", "no-kind", ledger_line({"hash": "a", "seed": 3, "result": {"error": 12.5}}))
put("ledger", "lacks", json.dumps({"hash": "a", "seed": -1, "result": []}))

put("scale", "some", json.dumps({"epochs": 2, "images": 400, "weight_rate": 0.05, "tables": {"2": {"epochs": 3}, "3": {"retrain": "derived"}}}))
put("scale", "unknown", json.dumps({"epoch": 2}))
put("scale", "wrong", json.dumps({"K": 3, "batch": 1.5, "name": 7, "tables": [1]}))

from PIL import Image  # noqa: E402

ramp = Image.new("RGB", (40, 24))
ramp.putdata([(6 * x, 10 * y, (x * y) % 256) for y in range(24) for x in range(40)])


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


put("jpeg", "baseline", jpeg(ramp, quality=40))
put("jpeg", "progressive", jpeg(ramp, quality=40, progressive=True))
put("jpeg", "gray", jpeg(ramp.convert("L"), quality=30))
put("jpeg", "cmyk", jpeg(ramp.convert("CMYK"), quality=30))
put("jpeg", "444-restarts", jpeg(ramp, quality=30, subsampling=0, restart_marker_blocks=2))
large = bytearray(jpeg(ramp, quality=40, progressive=True, subsampling=0))
frame = large.index(b"\xff\xc2")
large[frame + 5:frame + 9] = struct.pack(">2H", 8000, 8000)
put("jpeg", "progressive-64-million", bytes(large))
