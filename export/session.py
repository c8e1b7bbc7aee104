"""A graph, opened: on ONNX Runtime, on a GPU with its arrays kept there, or on OpenVINO's own runtime."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from export.errors import BundleError, ProviderError

ORT_NAMES: Final = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""ONNX Runtime's name of each provider that is its own."""
BUCKETS: Final = (1, 2, 4, 8, 16, 32)
"""Sizes of batch on a GPU: it chooses its algorithms anew for every other one."""
ANY: Final = "any"
"""A size that a graph leaves open."""

Shapes = Sequence[Sequence[int | str]]
"""Sizes of several arrays, without the batch."""
Arrays = list[NDArray[np.float32]]

_FATAL_ONLY = 4
_ORT_ERRORS: Final = (
    RuntimeError,
    ValueError,  # a name within that is not UTF-8
    *(
        getattr(state, name)
        for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented")
    ),
)
"""ONNX Runtime's errors have no root of their own."""
_ENGINES: Final = Path("~/.cache/heed/tensorrt").expanduser()
"""TensorRT compiles for minutes: once a machine, not once a start."""
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
    "tensorrt": {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(_ENGINES)},
}


class Session(Protocol):
    """A graph that runs."""

    takes: Shapes
    gives: Shapes

    def run(self, *inputs: NDArray[Any]) -> Arrays:
        """Inputs of a batch, at least one row, to outputs."""


class OrtSession:
    """On a provider of ONNX Runtime, for batches of any size."""

    def __init__(self, path: Path, provider: str = "cpu", threads: int = 0) -> None:
        """Loads the graph.

        Raises:
            BundleError: it cannot be loaded.
            ProviderError: the session runs on another provider.
        """
        self._session = _open(path, provider, threads)
        if self._session.get_providers()[0] != ORT_NAMES[provider]:
            raise ProviderError(f"provider: {provider}: ONNX Runtime runs {path.name} without it; see `heed doctor`")
        self._names = [node.name for node in self._session.get_inputs()]
        self.takes = _shapes(self._session.get_inputs())
        self.gives = _shapes(self._session.get_outputs())

    def run(self, *inputs: NDArray[Any]) -> Arrays:
        """Inputs of a batch to outputs."""
        outputs: Arrays = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        return outputs


class BoundSession(OrtSession):
    """One whose inputs and outputs lie in the device's memory, once for each size of batch."""

    def __init__(self, path: Path, provider: str, threads: int = 0) -> None:
        """Loads the graph; memory is taken when a size first comes."""
        super().__init__(path, provider, threads)
        self._device = "cpu" if provider == "cpu" else "cuda"
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._bound: dict[tuple[tuple[int, ...], ...], tuple[ort.IOBinding, list[ort.OrtValue]]] = {}

    def run(self, *inputs: NDArray[Any]) -> Arrays:
        """Inputs of a batch to outputs, padded to one of `BUCKETS`."""
        return in_buckets(self._run, inputs)

    def _run(self, *inputs: NDArray[Any]) -> Arrays:
        shapes = tuple(array.shape for array in inputs)
        if shapes not in self._bound:
            self._bound[shapes] = self._bind(inputs)
        binding, places = self._bound[shapes]
        for place, array in zip(places, inputs, strict=True):
            place.update_inplace(np.ascontiguousarray(array))
        self._session.run_with_iobinding(binding)
        outputs: Arrays = binding.copy_outputs_to_cpu()
        return outputs

    def _bind(self, inputs: Sequence[NDArray[Any]]) -> tuple[ort.IOBinding, list[ort.OrtValue]]:
        binding = self._session.io_binding()
        places = [ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, 0) for array in inputs]
        for name, place in zip(self._names, places, strict=True):
            binding.bind_ortvalue_input(name, place)
        for name, sizes in zip(self._outputs, self.gives, strict=True):
            shape = [len(inputs[0]), *sizes]
            place = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
            binding.bind_ortvalue_output(name, place)
        return binding, places


class OpenVinoSession:
    """On OpenVINO's own runtime, which reads the same file."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Compiles the graph for this CPU; all that is not quantised is computed in single precision.

        Raises:
            BundleError: it cannot be loaded.
            ProviderError: OpenVINO is not installed.
        """
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        core = openvino_core()
        try:
            compiled = core.compile_model(str(path), "CPU", options)
        except RuntimeError as error:
            raise BundleError(f"bundle: {path}: OpenVINO cannot load it: {_reason(error)}; export it again") from None
        self._request = compiled.create_infer_request()
        self.takes: Shapes = [_sizes(node) for node in compiled.inputs]
        self.gives: Shapes = [_sizes(node) for node in compiled.outputs]

    def run(self, *inputs: NDArray[Any]) -> Arrays:
        """Inputs of a batch to outputs."""
        outputs = self._request.infer(list(inputs), share_inputs=True)
        return [np.array(array) for array in outputs.values()]


def openvino_core() -> Any:
    """OpenVINO's entry, of a CPU that it can use.

    Raises:
        ProviderError: it is not installed, or has no use for this CPU.
    """
    try:
        import openvino  # an extra
    except ImportError:
        raise ProviderError("provider: openvino: not installed; pip install 'heed[openvino]'") from None
    core = openvino.Core()
    if "CPU" not in core.available_devices:
        raise ProviderError("provider: openvino: it cannot use this CPU; choose cpu")
    return core


def open_session(path: Path, provider: str, threads: int) -> Session:
    """The graph on the provider that was asked for, and on no other.

    Raises:
        BundleError: the graph cannot be loaded.
        ProviderError: the provider is not used.
    """
    if provider == "openvino":
        return OpenVinoSession(path, threads)
    return (OrtSession if provider == "cpu" else BoundSession)(path, provider, threads)


def in_buckets(run: Callable[..., Arrays], inputs: Sequence[NDArray[Any]]) -> Arrays:
    """Runs a batch of any size in batches of `BUCKETS` sizes; the last row fills up what is left."""
    count, largest = len(inputs[0]), BUCKETS[-1]
    parts = []
    for first in range(0, count, largest):
        here = min(count - first, largest)
        size = next(bucket for bucket in BUCKETS if bucket >= here)
        rows = first + np.minimum(np.arange(size), here - 1)
        parts.append([output[:here] for output in run(*(array[rows] for array in inputs))])
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _open(path: Path, provider: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _FATAL_ONLY
    # Four sessions share the cores with the decoders: a thread without work must sleep.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider != "cpu":
        ort.preload_dlls()  # CUDA and cuDNN out of the packages that heed[gpu] brings
    providers: list[Any] = [(ORT_NAMES[provider], _OPTIONS.get(provider, {}))]
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except _ORT_ERRORS as error:
        raise BundleError(f"bundle: {path}: ONNX Runtime cannot load it: {_reason(error)}; export it again") from None


def _reason(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)  # some say nothing


def _shapes(nodes: Sequence[ort.NodeArg]) -> Shapes:
    return [[size if isinstance(size, int) else ANY for size in node.shape[1:]] for node in nodes]


def _sizes(node: Any) -> list[int | str]:
    return [ANY if size.is_dynamic else size.get_length() for size in list(node.partial_shape)[1:]]
