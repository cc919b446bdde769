"""The four networks of MLPerf Tiny v1.x and the person detection example of TensorFlow Lite Micro, as graphs.

Topologies: mlcommons/tiny@1afd2c9, benchmark/training; tensorflow/tflite-micro, examples/person_detection. MACs of
the four are in tests/data/mlperf_tiny_macs.csv.
"""

from __future__ import annotations

from benchmarks import st_modelzoo
from hwscale.configuration import configure
from hwscale.formulas.graph import Graph, Op, Tensor

NETWORKS = {
    "ic": "ResNet v1 8 32x32x3",
    "vww": "MobileNet v1 0.25 96x96x3",
    "kws": "DS-CNN 49x10x1",
    "ad": "autoencoder 640",
}
"""Network by benchmark, titled as in `benchmarks.st_modelzoo`."""
PERSON_DETECTION = "person detection 96x96x1"
_KWS_CHANNELS, _KWS_WORDS = 64, 12
_AD_FEATURES = (128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
_PERSON_STEM = 8


def graph(benchmark: str) -> Graph:
    """The reference network of ic, vww, kws or ad, in Python ints."""
    if benchmark == "ic":
        return st_modelzoo.graph({"model": "ResNet v1 8", "resolution": "32x32x3", "dataset": "cifar10"})
    return {"vww": _visual_wake_words, "kws": _keyword_spotting, "ad": _autoencoder}[benchmark]()


def _mobilenet_v1(channels: int) -> Graph:
    found = configure("mobilenet_v1", {"alpha": 0.25, "padding": "same"}, input_shape=(channels, 96, 96), classes=2)
    return found.model("tensors", False).graph(found.knobs, 96, 96)[0]


def _visual_wake_words() -> Graph:
    return _mobilenet_v1(3)


def _keyword_spotting() -> Graph:
    g = Graph()
    image = g.tensor(1, 49, 10)
    x = g.tensor(_KWS_CHANNELS, 25, 5)
    _window(g, "conv2d", image, x, kernel=(10, 4))
    for i in range(1, 5):
        x = g.depthwise(f"b{i}.dw", x, kernel=3, same=True)
        x = g.conv(f"b{i}.pw", x, _KWS_CHANNELS)
    g.linear("top.fc", g.average_pool("top.pool", x, 1, 1), _KWS_WORDS)
    return g


def _autoencoder() -> Graph:
    g = Graph()
    x = g.tensor(640, 1, 1)
    for i, features in enumerate(_AD_FEATURES, start=1):
        x = g.linear(f"fc{i}", x, features)
    return g


def person_detection() -> Graph:
    """MobileNetV1 0.25 on one grey channel, as its int8 file has it.

    The stem is a depthwise convolution of multiplier 8, the classifier a pointwise one; RESHAPE and SOFTMAX end it.
    """
    source = _mobilenet_v1(1)
    g = Graph()
    image = g.tensor(1, 96, 96)
    x = g.tensor(_PERSON_STEM, 48, 48)
    _window(g, "depthwise", image, x, kernel=(3, 3))
    for op in source.ops[1:-2]:
        if op.kind == "depthwise":
            x = g.depthwise(op.name, x, kernel=3, stride=op.stride, same=True)
        else:
            x = g.conv(op.name, x, source.tensors[op.output].channels)
    x = g.conv("top.conv", g.average_pool("top.pool", x, 1, 1), 2, batch_norm=False, bias=True)
    for kind in ("reshape", "softmax"):
        y = g.tensor(2, 1, 1)
        g.ops.append(Op(f"top.{kind}", kind, (x.index,), y.index))
        x = y
    return g


def _window(g: Graph, kind: str, x: Tensor, out: Tensor, *, kernel: tuple[int, int]) -> None:
    """A stem on one channel that `Graph` has no method for, stride 2.

    Its zeros are those of SAME, so that no lowering asks for the kernel's other side.
    """
    weights = kernel[0] * kernel[1] * out.channels
    macs = weights * out.area
    g.ops.append(
        Op(
            "stem",
            kind,
            (x.index,),
            out.index,
            macs,
            weights,
            out.channels,
            2,
            max(kernel),
            "relu",
            stride=2,
            same=True,
        )
    )
