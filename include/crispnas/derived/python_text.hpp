// Of what is the Python module of a derived network put together (python_module.hpp)? These texts.
#pragma once

#include <string_view>

namespace crispnas::detail {

inline constexpr std::string_view python_convolutions = R"py(

class ReLUConvBN(nn.Module):
    def __init__(self, in_channels, channels, kernel, stride=1):
        super().__init__()
        conv = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)
        self.op = nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(channels))

    def forward(self, x):
        return self.op(x)
)py";

inline constexpr std::string_view python_factorized_reduce = R"py(

class FactorizedReduce(nn.Module):
    """Halves height and width by two 1x1 convolutions, the second one a pixel further."""

    def __init__(self, in_channels, channels):
        super().__init__()
        half = channels // 2
        self.conv_1 = nn.Conv2d(in_channels, half, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(in_channels, channels - half, 1, 2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = torch.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))
)py";

inline constexpr std::string_view python_depthwise = R"py(

def depthwise(channels, kernel, stride, dilation):
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


class Depthwise(nn.Module):
    """A separable convolution: twice, or once and dilated."""

    def __init__(self, channels, kernel, stride, dilated):
        super().__init__()
        layers = depthwise(channels, kernel, stride, 2 if dilated else 1)
        if not dilated:
            layers += depthwise(channels, kernel, 1, 1)
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)
)py";

inline constexpr std::string_view python_rows_and_columns = R"py(

class Conv7x1(nn.Module):
    """1x7 over the width, then 7x1 over the height."""

    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
        self.row = nn.Parameter(torch.empty(channels, channels, 1, 7))
        self.column = nn.Parameter(torch.empty(channels, channels, 7, 1))
        self.bn = nn.BatchNorm2d(channels)
        for weight in (self.row, self.column):
            nn.init.kaiming_uniform_(weight, a=5**0.5)

    def forward(self, x):
        x = nn.functional.conv2d(torch.relu(x), self.row, None, (1, self.stride), (0, 3))
        return self.bn(nn.functional.conv2d(x, self.column, None, (self.stride, 1), (3, 0)))
)py";

inline constexpr std::string_view python_zero = R"py(

class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride] * 0.0
)py";

inline constexpr std::string_view python_stacked_cell = R"py(

class Cell(nn.Module):
    def __init__(self, cell, channels, input_channels, reduces, reads_reduced):
        super().__init__()
        self.cell = cell
        for i in range(2 - cell["inputs"], 2):  # the only input of a cell is the newer one
            if i == 0 and reads_reduced:
                preprocess = FactorizedReduce(input_channels[i], channels)
            else:
                preprocess = ReLUConvBN(input_channels[i], channels, 1)
            self.add_module(f"preprocess{i}", preprocess)
        self._ops = nn.ModuleList(
            OPS[op](channels, 2 if reduces and start < cell["inputs"] else 1) for op, start, _ in cell["ops"]
        )

    def forward(self, older, newer):
        states = [self.preprocess0(older)] if self.cell["inputs"] == 2 else []
        return output_of(self.cell, self._ops, states + [self.preprocess1(newer)])
)py";

inline constexpr std::string_view python_output_of = R"py(

def output_of(cell, ops, inputs):
    states = dict(enumerate(inputs))
    for node in range(cell["inputs"], cell["inputs"] + cell["nodes"]):
        entering = [op(states[start]) for op, (_, start, end) in zip(ops, cell["ops"]) if end == node]
        if entering:
            states[node] = sum(entering[1:], entering[0])
    return torch.cat([states[s] for s in cell["output"]], 1)
)py";

inline constexpr std::string_view python_auxiliary_head = R"py(

class AuxiliaryHead(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, AUXILIARY_STRIDE, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *AUXILIARY_NORM,
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, CLASSES)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
)py";

// STEM and the two that follow it stand for what differs between the networks.
inline constexpr std::string_view python_stacked_network = R"py(

def conv_bn(in_channels, channels, stride):
    return [nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels)]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        channels = CHANNELS
STEM
        self.cells = nn.ModuleList()
        for i in range(CELLS):
            reduces = i in (CELLS // 3, 2 * CELLS // 3)
            if reduces:
                channels *= 2
            cell = REDUCTION if reduces else NORMAL
            self.cells.append(Cell(cell, channels, (older, newer), reduces, was_reduced))
            older, newer = newer, channels * len(cell["output"])
            was_reduced = reduces
            if AUXILIARY and i == 2 * CELLS // 3:
                self.auxiliary_head = AuxiliaryHead(newer)
        self.classifier = nn.Linear(newer, CLASSES)

    def forward(self, x):
        """Logits; with an auxiliary head, while training, its logits, too."""
BEGIN
        for i, cell in enumerate(self.cells):
            older, newer = newer, cell(older, newer)
            if AUXILIARY and self.training and i == 2 * CELLS // 3:
                auxiliary = self.auxiliary_head(newer)
        logits = self.classifier(newer.mean((2, 3)))
        return (logits, auxiliary) if AUXILIARY and self.training else logits
)py";

inline constexpr std::string_view python_cifar_stem = R"py(        older = newer = 3 * channels
        self.stem = nn.Sequential(*conv_bn(IMAGE_CHANNELS, newer, 1))
        was_reduced = False)py";
inline constexpr std::string_view python_imagenet_stem = R"py(        older = newer = channels
        self.stem0 = nn.Sequential(
            *conv_bn(IMAGE_CHANNELS, channels // 2, 2), nn.ReLU(), *conv_bn(channels // 2, channels, 2)
        )
        self.stem1 = nn.Sequential(nn.ReLU(), *conv_bn(channels, channels, 2))
        was_reduced = True)py";

inline constexpr std::string_view python_residual_network = R"py(

class Cell(nn.Module):
    def __init__(self, cell, channels):
        super().__init__()
        self.cell = cell
        self.layers = nn.ModuleList(OPS[op](channels, 1) for op, _, _ in cell["ops"])

    def forward(self, x):
        return output_of(self.cell, self.layers, [x])


class ResidualBlock(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv_a = ReLUConvBN(in_channels, channels, 3, 2)
        self.conv_b = ReLUConvBN(channels, channels, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(in_channels, channels, 1, bias=False))

    def forward(self, x):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        channels = CHANNELS
        self.stem = nn.Sequential(
            nn.Conv2d(IMAGE_CHANNELS, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )
        self.cells = nn.ModuleList()
        for stage in range(3):
            if stage > 0:
                self.cells.append(ResidualBlock(channels, 2 * channels))
                channels *= 2
            self.cells.extend(Cell(NORMAL, channels) for _ in range(CELLS))
        self.lastact = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.classifier(self.lastact(x).mean((2, 3)))
)py";

inline constexpr std::string_view python_ending = R"py(

def load(weights=None, device="cpu"):
    """The network with the weights of a file, by default model.safetensors beside this one, for evaluation."""
    from safetensors.torch import load_file

    network = Network()
    network.load_state_dict(load_file(weights or Path(__file__).with_name("model.safetensors")))
    return network.to(device).eval()


def check():
    """Compares with what crispnas computed: the largest difference, as a share of the largest logit."""
    from safetensors.torch import load_file

    example = load_file(Path(__file__).with_name("example.safetensors"))
    with torch.no_grad():
        logits = load()(example["images"])
    return ((logits - example["logits"]).abs().max() / example["logits"].abs().max()).item()


if __name__ == "__main__":
    difference = check()
    print(f"logits differ by {difference:.1e} of the largest")
    sys.exit(0 if difference <= 1e-5 else 1)
)py";

}  // namespace crispnas::detail
