"""ONNX Runtime: one image through a small convolutional network that is built here.

Two convolutions, a mean over the image and a layer of ten classes, with weights from a fixed seed. One
session serves all threads, and computes in the caller's alone, without the GIL. The wait for the image is a
sleep.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# From 1.29 on the runtime would report to its makers, by a thread that no fork would copy.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PARAMETERS = {"wait_ms": 15.0}
GIL_S = 0.0005

_SIZE, _CHANNELS, _CLASSES = 128, 32, 10


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def model():
    """Return the network as bytes."""
    random = np.random.default_rng(29)
    shapes = {
        "first": (_CHANNELS, 3, 3, 3),
        "second": (2 * _CHANNELS, _CHANNELS, 3, 3),
        "classes": (2 * _CHANNELS, _CLASSES),
    }
    weights = [
        numpy_helper.from_array((0.1 * random.standard_normal(shape)).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    convolution = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], **convolution),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], **convolution),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "classes"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "edge",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, _SIZE, _SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, _CLASSES])],
        weights,
    )
    # Old enough for every runtime that may be installed.
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


@contextmanager
def setup(threads, wait_ms):
    network = model()
    images = np.random.default_rng(31).random((8, 1, 3, _SIZE, _SIZE), dtype=np.float32)

    def make_task():
        # In the measured process: a session may have threads, which no fork would copy.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        state = {"next": 0}

        def task():
            time.sleep(wait_ms / 1000)
            # A lost update only looks at the same image twice.
            state["next"] = number = (state["next"] + 1) % len(images)
            (scores,) = session.run(None, {"image": images[number]})
            return int(scores.argmax())

        return task

    yield make_task
