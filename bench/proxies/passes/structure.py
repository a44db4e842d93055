"""What a network is made of, looked at before any pass relies on it.

A proxy sums over layers, counts ReLUs or compares features, so it has to know which they are. Here
the module runs on two images and on three, and every function that it calls is looked at: which
layer's weight it is given, along which dimension images stand (the one that grows with their
number), what it costs. What is not recognised is a reason, and no proxy that needs to know it has
a score: nothing counts 0 because it was not seen.

Layers are the field's: the weights of `nn.Conv1d` to `3d` and `nn.Linear` and what derives from
them. Known, and by definition no layers, are norms, the slope of a PReLU, embeddings, scales that
are multiplied entry by entry, and the projections of queries, keys and values in
`nn.MultiheadAttention`, which it calls by a bare parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.proxies.computed import UndefinedError, UnrecognisedError
from bench.proxies.passes.recorder import (
    COSTLY,
    LINEAR,
    OnCpu,
    argument,
    cost,
    is_global_pool,
    is_rectifier,
    plain,
    tensors,
)

if TYPE_CHECKING:
    from bench.proxies.passes.network import Network

NO_IMAGES = -1
"""In place of a dimension: the tensor has the same shape for any number of images."""
_FEW = (2, 3)
"""How many images the module runs on; one would leave a batch norm without statistics."""

_DEVIATIONS = frozenset(
    {
        *("var", "var_mean", "std", "std_mean", "norm", "vector_norm", "linalg_vector_norm"),
        *("normalize", "sqrt", "rsqrt"),
    }
)
"""What a norm that is written out divides by."""
_LEAVING = frozenset({"numpy", "__array__", "tolist"})
"""Functions by which values go where no function of torch's is called."""
_SEQUENCES = frozenset(
    {
        *("multi_head_attention_forward", "scaled_dot_product_attention", "embedding"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu"),
    }
)
"""Functions whose channels stand last."""
_NORMS = frozenset({"layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"})
_COMPARISONS = frozenset(
    {
        *("gt", "ge", "lt", "le", "__gt__", "__ge__", "__lt__", "__le__", "greater", "less"),
        *("sign", "sgn", "heaviside", "maximum", "fmax", "where", "clamp", "clamp_min", "clip"),
        *("threshold", "rnn_relu", "rnn_relu_cell", "minimum", "fmin", "clamp_max", "abs"),
        *("absolute", "hardshrink", "softshrink"),
    }
)
"""What may switch a neuron on and off as a ReLU does, and is not known to."""
_SCALES = frozenset(
    {
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu"),
        *("embedding", "multi_head_attention_forward", "add", "sub", "mul", "div", "neg", "pow"),
        *("true_divide", "index", "setitem", "fill", "zero", "nan_to_num", "masked_fill"),
        *("exp", "log", "sqrt", "rsqrt", "sigmoid", "tanh", "softmax", "softplus", "relu", "clamp"),
        *("abs", "mean", "sum", "norm", "normalize", "std", "var", "expand", "expand_as", "view"),
        *("reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose", "t"),
        *("cat", "concat", "stack", "chunk", "split", "unbind", "select", "narrow", "repeat"),
        *("index_select", "gather", "roll", "flip", "pad", "interpolate", "contiguous", "clone"),
        *("to", "float", "double", "type_as", "detach", "broadcast_to", "view_as", "addcmul"),
        *("movedim", "swapaxes", "tile", "repeat_interleave", "data", "T", "mT", "lerp", "copy"),
        *("getitem", "radd", "rmul", "rsub", "rtruediv", "truediv", "iadd", "imul", "isub"),
        *("itruediv", "rpow", "zeros_like", "ones_like", "new_zeros", "new_ones", "empty_like"),
        *("square", "reciprocal", "atleast_2d", "requires_grad"),
    }
)
"""Functions that may be given a parameter that is no layer's weight: scales, shifts, positions."""
_APART = frozenset(
    {
        *("conv2d", "linear", "batch_norm", "layer_norm", "group_norm", "instance_norm"),
        *("relu", "relu6", "leaky_relu", "hardtanh", "prelu", "elu", "celu", "selu", "silu"),
        *("gelu", "mish", "sigmoid", "tanh", "hardswish", "hardsigmoid", "softplus", "threshold"),
        *("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
        *("max_pool2d_with_indices", "boolean_dispatch", "interpolate", "pixel_shuffle"),
        *("add", "sub", "mul", "div", "true_divide", "neg", "pow", "square", "sqrt", "exp"),
        *("radd", "rsub", "rmul", "rtruediv", "truediv", "iadd", "isub", "imul", "itruediv"),
        *("cat", "concat", "stack", "chunk", "split", "flatten", "view", "reshape", "squeeze"),
        *("unsqueeze", "permute", "transpose", "movedim", "contiguous", "clone", "expand"),
        *("expand_as", "view_as", "zeros_like", "ones_like", "mean", "sum", "amax", "pad"),
        *("getitem", "to", "float", "double", "clamp", "type_as", "detach", "copy", "zeros"),
        *("fill", "zero", "empty_like", "new_zeros", "ones", "empty", "arange", "tensor"),
    }
)
"""Functions that do not mix images, where these stand first in what goes in and comes out."""
_FREE = frozenset(
    {
        *("mean", "sum", "amax", "amin", "max", "min", "argmax", "argmin", "any", "all", "aminmax"),
        *("var", "var_mean", "std", "std_mean", "norm", "linalg_vector_norm", "logsumexp"),
        *("_softmax", "_log_softmax", "_safe_softmax", "cumsum", "prod", "native_layer_norm"),
        *("native_group_norm", "native_batch_norm", "_native_batch_norm_legit", "_fused_rms_norm"),
        *("native_dropout", "bernoulli", "bernoulli_", "rand", "randn", "rand_like", "randn_like"),
        *("randperm", "randint", "normal_", "uniform_", "exponential_", "cat", "stack", "copy_"),
        *("_to_copy", "clone", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d"),
        *("replication_pad1d", "replication_pad2d", "index", "index_select", "gather", "scatter"),
        *("scatter_add", "embedding", "im2col", "col2im", "pixel_shuffle", "pixel_unshuffle"),
        *("roll", "flip", "repeat", "channel_shuffle", "native_channel_shuffle", "topk", "sort"),
        *("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "arange", "zeros"),
        *("ones", "full", "empty", "empty_like", "zeros_like", "ones_like", "full_like"),
        "new_zeros",
        *("new_empty", "new_empty_strided", "new_ones", "new_full", "scalar_tensor", "eye"),
        "linspace",
        *("where", "masked_fill", "masked_fill_", "lift_fresh", "lift_fresh_copy", "detach_"),
        *("_unsafe_view", "_reshape_alias", "fill_", "zero_", "index_put_", "index_put"),
        *("tril", "triu", "_local_scalar_dense", "is_same_size", "equal", "nonzero", "resize_"),
        *("max_pool1d", "max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool1d"),
        *("avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "view_copy"),
        *("adaptive_max_pool2d", "adaptive_max_pool3d", "_assert_async", "item"),
        "split_with_sizes",
        *("_chunk_cat", "set_", "_efficientzerotensor", "slice_scatter", "select_scatter"),
        *("unfold_copy", "one_hot", "bincount", "glu", "_prelu_kernel", "rrelu_with_noise"),
        *("rrelu_with_noise_", "_assert_scalar", "isfinite", "sym_size", "copy", "diag_embed"),
        *("expand_copy", "slice_copy", "_unique2", "log_sigmoid_forward", "native_dropout_"),
    }
)  # fmt: skip
"""Operations below the functions that make no products: by convention they cost nothing."""


@dataclass(frozen=True)
class Structure:
    """What is known of a network; a fault is why something is not, for people to read."""

    layer_fault: str | None = None
    """Why the weights of its layers are not all that products are made with."""
    layer_rows: tuple[int | None, ...] = ()
    """By call of a layer, the dimension along which images stand in its output; None where it
    cannot be told."""
    rectifier_rows: tuple[int | None, ...] = ()
    """The same by call of a ReLU, of its input; NO_IMAGES where it does not depend on images."""
    rectifier_fault: str | None = None
    """Why these may not be all the ReLUs."""
    images_apart: bool = False
    """Whether images meet in batch norms alone, and every layer is one that `alone` can part."""
    operations: int | None = None
    """What one image costs, as `recorder.cost` counts."""
    cost_fault: str | None = None
    other_norms: tuple[str, ...] = ()
    """The norms that are no batch norms, by their functions."""
    recorded_norm: bool = False
    """Whether a batch norm takes recorded statistics, not the batch's."""
    pool_fault: str | None = None
    """Why the features are not what goes into the one global average pooling."""
    channels_fault: str | None = None
    """Why channels may stand elsewhere than behind the images."""
    hidden: str | None = None
    """Why functions may have been called that were not seen."""
    own_gradients: str | None = None
    """Why gradients may be other than those of the functions that were seen."""

    def check_layers(self) -> None:
        """Raise UnrecognisedError unless every product's weight is a layer's."""
        if self.layer_fault:
            raise UnrecognisedError(self.layer_fault)

    def check_rectifiers(self) -> None:
        """Raise UndefinedError without ReLUs, UnrecognisedError where they cannot be told."""
        if self.rectifier_fault:
            raise UnrecognisedError(self.rectifier_fault)
        if all(rows == NO_IMAGES for rows in self.rectifier_rows):
            raise UndefinedError("the network has no ReLU")
        if None in self.rectifier_rows:
            raise UnrecognisedError("a ReLU's input does not hold one row an image")

    def check_pool(self) -> None:
        """Raise UnrecognisedError unless the logits come from one global average pooling."""
        if self.pool_fault:
            raise UnrecognisedError(self.pool_fault)

    def check_batch_norms(self, what: str) -> None:
        """Raise UnrecognisedError where a norm is no batch norm; `what` says what it is for."""
        if self.hidden:
            raise UnrecognisedError(self.hidden)
        if self.other_norms:
            raise UnrecognisedError(f"{what} knows batch norms alone, got {self.other_norms[0]}")

    def check_channels(self) -> None:
        """Raise UnrecognisedError where channels may not stand behind the images."""
        if self.channels_fault:
            raise UnrecognisedError(self.channels_fault)


OWN = Structure(images_apart=True, rectifier_rows=(0,))
"""Of networks that the bench itself builds in stacks, whose parts it knows: each has ReLUs."""


def structure_of(network: Network) -> Structure:
    """Run a network on a few images, twice, and look at what it calls.

    Raises what the module raises on its own minibatch, if it does on fewer images, too.
    """
    layer_fault = network.layer_fault
    first, second = _runs(network)
    trace = _Compared(first, second)
    hidden = _hidden(first)
    return Structure(
        layer_fault=layer_fault or first.layer_fault,
        layer_rows=tuple(trace.rows(at) for at in first.layers),
        rectifier_rows=tuple(trace.rows(at, NO_IMAGES) for at in first.rectifiers),
        rectifier_fault=first.rectifier_fault or hidden,
        images_apart=trace.images_apart() and not (hidden or layer_fault or first.count.draws),
        operations=None if first.cost_fault or hidden else _of_one(first, second),
        cost_fault=first.cost_fault or hidden,
        other_norms=tuple(dict.fromkeys(first.other_norms)),
        recorded_norm=first.recorded_norm,
        pool_fault=_pool_fault(first, second),
        channels_fault=first.channels_fault or hidden,
        hidden=hidden,
        own_gradients=hidden or first.own_gradients,
    )


def _of_one(first: _Trace, second: _Trace | None) -> int:
    """What one image costs: what does not grow with their number, such as weights, counts whole."""
    if second is None:
        return first.operations // first.n
    each = (second.operations - first.operations) // (second.n - first.n)
    return first.operations - (first.n - 1) * each


def _runs(network: Network) -> tuple[_Trace, _Trace | None]:
    """The traces of two runs; one where the module takes a fixed number of images."""
    try:
        first = _run(network, _FEW[0])
    except Exception:  # noqa: BLE001
        # Some modules take only as many images as they were made for: then it is known of fewer
        # things what they are. A module that is broken raises again, for what asked.
        return _run(network, len(network.batch.images)), None
    try:
        return first, _run(network, _FEW[1], cut=first.pools[-1] if first.pools else None)
    except Exception:  # noqa: BLE001
        return first, None


def _run(network: Network, n: int, *, cut: int | None = None) -> _Trace:
    given = network.batch.images
    images = given[torch.arange(n, device=given.device) % len(given)].detach().requires_grad_()
    trace = _Trace(n, network, cut)
    with torch.enable_grad():
        logits = network.call(images, network.parameters, mode=trace)
    trace.logits_depend = logits.requires_grad
    trace.own_gradients = trace.own_gradients or _own_gradients(logits.grad_fn)
    return trace


def _own_gradients(last: Node | None) -> str | None:
    """Which node of a graph goes backward by a function of Python's, if one does."""
    waiting: list[Any] = [last]
    known = {last, None}
    while waiting:
        node = waiting.pop()
        if isinstance(node, BackwardCFunction):
            return f"a part has a backward of its own, {type(node).__name__}"
        after = {before for before, _ in node.next_functions} - known if node else set()
        known |= after
        waiting += after
    return None


def _hidden(trace: _Trace) -> str | None:
    if trace.left:
        return f"a part leaves torch, by {trace.left}"
    hidden = sorted(trace.count.hidden)
    return f"a part hides what it calls, among it {hidden[0]}" if hidden else None


def _pool_fault(first: _Trace, second: _Trace | None) -> str | None:
    """The logits must depend on the images through the last pooling's input alone."""
    if not first.pools:
        return "the network has no global average pooling"
    if second is None:
        return "the network takes a fixed number of images, so its features cannot be told"
    if second.logits_depend:
        return "the logits do not come from one global average pooling alone"
    return None


@dataclass(frozen=True)
class _Event:
    """One call of a function that gave tensors."""

    name: str
    outputs: tuple[tuple[int, ...], ...]
    depends: bool
    """Whether what it gives depends on the images."""
    apart: bool
    """Whether it is a call that does not mix images, if these stand first."""


class _Trace(OnCpu):
    """Looks at every function that a network of few images calls.

    Images require a gradient and parameters do not, so a tensor that requires one depends on the
    images; and so does what is computed from one that does, where no gradient is taken.
    """

    def __init__(self, n: int, network: Network, cut: int | None) -> None:
        super().__init__()
        self.n = n
        self.count = _Count()
        self.events: list[_Event] = []
        self.layers: list[int] = []
        """Which events are calls of layers."""
        self.rectifiers: list[int] = []
        self.pools: list[int] = []
        self.other_norms: list[str] = []
        self.recorded_norm = False
        self.layer_fault: str | None = None
        self.rectifier_fault: str | None = None
        self.channels_fault: str | None = None
        self.logits_depend = True
        self.left: str | None = None
        """By what the network takes values that depend on the images out of torch."""
        self.own_gradients: str | None = None
        self._dependent: dict[int, Tensor] = {}
        """What depends on the images without a gradient; kept, so that no identity recurs."""
        self._cut = cut
        self._weights = {id(network.parameters[name]): name for name in network.layer_names}
        self._parameters: dict[int, tuple[Tensor, str]] = {
            id(tensor): (tensor, name) for name, tensor in network.parameters.items()
        }
        """Parameters, and what is computed from them alone; kept, so that no identity recurs."""
        self._costs = 0

    def __enter__(self) -> Self:
        """Look at functions, and at the operations below them."""
        super().__enter__()  # type: ignore[no-untyped-call]
        self.count.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Stop looking at both."""
        self.count.__exit__(*error)  # type: ignore[no-untyped-call]
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    @property
    def operations(self) -> int:
        """What all images cost."""
        return self._costs + self.count.products

    @property
    def cost_fault(self) -> str | None:
        """Which operation's cost is not known."""
        unknown = sorted(self.count.unknown)
        return f"the cost of {unknown[0]} is not known" if unknown else None

    def run(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call a function as the network does, pools included, and look at it."""
        with self.count.inside(False):
            return self._called(func, args, kwargs)

    def _called(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        """Call a function, and look at it."""
        name = _named(func)
        if self._cut is not None and len(self.events) == self._cut:
            args = (args[0].detach(), *args[1:]) if args else args
            kwargs = {k: v.detach() if k == "input" else v for k, v in kwargs.items()}
        given = list(tensors((args, kwargs)))
        kept = [(tensor, tensor.requires_grad) for tensor in given]
        formula = name in COSTLY or name == "scaled_dot_product_attention"
        with self.count.inside(formula):
            output = func(*args, **kwargs)
        if any(torch._C._functorch.is_functorch_wrapped_tensor(tensor) for tensor in given):
            self.left = "a transform of torch.func"
        depends = any(needs or id(tensor) in self._dependent for tensor, needs in kept)
        if depends:
            self._follow(name, given, output)
        outputs = list(tensors(output))
        if not outputs:
            return output
        if formula and isinstance(output, Tensor):
            self._costs += _cost(name, args, kwargs, output)
        self._look(name, args, kwargs, given, depends)
        self._derive(name, given, outputs, depends)
        shapes = tuple(tuple(tensor.shape) for tensor in outputs)
        apart = self._is_apart(name, args, kwargs)
        self.events.append(_Event(name, shapes, depends, apart))
        return output

    def _follow(self, name: str, given: Sequence[Tensor], output: Any) -> None:
        """Take note of what depends on the images by a call, and of what leaves torch by it."""
        if name in _LEAVING:
            self.left = name
        if not torch.is_grad_enabled():
            self.own_gradients = "a part turns gradients off"
        if name == "register_hook":
            self.own_gradients = "a part changes gradients by a hook"
        for tensor in (given[0], *tensors(output)) if name == "__setitem__" else tensors(output):
            if not tensor.requires_grad:
                self._dependent[id(tensor)] = tensor

    def _look(
        self, name: str, args: Any, kwargs: Any, given: Sequence[Tensor], depends: bool
    ) -> None:
        """Take note of layers, ReLUs, poolings and norms, and of what is not recognised."""
        at = len(self.events)
        if name in LINEAR and id(argument(args, kwargs, 1, "weight")) in self._weights:
            self.layers.append(at)
        if is_rectifier(name, args, kwargs):
            self.rectifiers.append(at)
        elif depends and not self.rectifier_fault and _may_rectify(name, given):
            self.rectifier_fault = f"{name} may switch neurons on and off as a ReLU does"
        if is_global_pool(name, args, kwargs):
            self.pools.append(at)
        if name in _NORMS or (name in _DEVIATIONS and depends):
            self.other_norms.append(name)
        if self.channels_fault is None:
            self.channels_fault = _channels_fault(name, given)
        if name == "batch_norm" and not argument(args, kwargs, 5, "training"):
            self.recorded_norm = argument(args, kwargs, 1, "running_mean") is not None
        if self.layer_fault is None:
            self.layer_fault = self._layer_fault(name, args, kwargs, given)

    def _layer_fault(
        self, name: str, args: Any, kwargs: Any, given: Sequence[Tensor]
    ) -> str | None:
        """Why a call's weights are not those of layers, if they are not."""
        weight = argument(args, kwargs, 1, "weight") if name in LINEAR else None
        for tensor in given:
            if id(tensor) in self._weights:
                if tensor is not weight and name != "multi_head_attention_forward":
                    layer = self._weights[id(tensor)]
                    return f"{name} computes with {layer} outside of its layer"
            elif id(tensor) in self._parameters and not self._may_scale(name, tensor, args, kwargs):
                known = self._parameters[id(tensor)][1]
                return f"{name} is called with {known}, which is no layer's weight"
        return None

    def _may_scale(self, name: str, tensor: Tensor, args: Any, kwargs: Any) -> bool:
        """Whether a function may have this parameter that is no layer's weight."""
        bias = name in LINEAR and tensor is argument(args, kwargs, 2, "bias")
        source = name in LINEAR and tensor is argument(args, kwargs, 0, "input")
        return bias or source or name.strip("_") in _SCALES

    def _derive(
        self, name: str, given: Sequence[Tensor], outputs: Sequence[Tensor], depends: bool
    ) -> None:
        """What is computed from parameters alone is as good as a parameter."""
        if depends or name in LINEAR or name == "batch_norm" or name in _NORMS:
            # What a layer or a norm gives is an activation, also where no image reaches it.
            return
        known = next((id(tensor) for tensor in given if id(tensor) in self._parameters), None)
        if known is None or name == "embedding":
            return
        text = self._parameters[known][1]
        for tensor in outputs:
            if id(tensor) not in self._parameters:
                self._parameters[id(tensor)] = tensor, f"a tensor computed from {text}"

    def _is_apart(self, name: str, args: Any, kwargs: Any) -> bool:
        short = name.strip("_")
        if short not in _APART:
            return False
        if short == "getitem":
            return _keeps_rows(args[1])
        if name == "conv2d":
            padding = argument(args, kwargs, 4, "padding")
            source = argument(args, kwargs, 0, "input")
            return not isinstance(padding, str) and source.dim() == 4
        return True


def _may_rectify(name: str, given: Sequence[Tensor]) -> bool:
    """Whether a call may switch neurons on and off."""
    return name in _COMPARISONS or (name in {"max", "min"} and len(given) > 1)


def _channels_fault(name: str, given: Sequence[Tensor]) -> str | None:
    """Why a call tells that channels may stand last, if it does."""
    if name in _SEQUENCES:
        return f"channels may stand last: {name} is called"
    known = {"linear": "a linear layer", "layer_norm": "a layer norm"}.get(name)
    if known is None or given[0].dim() < 3:
        return None
    return f"channels may stand last: {known} is called on maps"


class _Compared:
    """Two runs of one network, on different numbers of images."""

    def __init__(self, first: _Trace, second: _Trace | None) -> None:
        self._first = first
        self._second = second
        same = second is not None and [e.name for e in first.events] == [
            e.name for e in second.events
        ]
        self._pairs = list(zip(first.events, second.events, strict=True)) if second and same else []

    def rows(self, at: int, default: int | None = None) -> int | None:
        """Along which dimension images stand in what an event gave; None where it is not told.

        `default` is for shapes that do not change with the images.
        """
        if not self._pairs:
            return None
        first, second = self._pairs[at]
        found = self._dimension(first.outputs[0], second.outputs[0])
        return default if found == NO_IMAGES else found

    def _dimension(self, first: tuple[int, ...], second: tuple[int, ...]) -> int | None:
        if len(first) != len(second) or self._second is None:
            return None
        differ = [at for at, pair in enumerate(zip(first, second, strict=True)) if len({*pair}) > 1]
        if not differ:
            return NO_IMAGES
        at = differ[0]
        grows = (first[at], second[at]) == (self._first.n, self._second.n)
        return at if len(differ) == 1 and grows else None

    def images_apart(self) -> bool:
        """Whether images stand first everywhere, and only batch norms mix them."""
        if not self._pairs:
            return False
        return all(
            first.apart and self._rows_first(first, second)
            for first, second in self._pairs
            if first.depends
        )

    def _rows_first(self, first: _Event, second: _Event) -> bool:
        shapes = zip(first.outputs, second.outputs, strict=True)
        return len(first.outputs) == len(second.outputs) and all(
            self._dimension(*pair) == 0 for pair in shapes
        )


class _Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the products of all operations below the functions, as torch's own counter does."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.depth = 0
        """How many functions that are looked at are being run."""
        self.muted = 0
        """How many of them whose cost has a formula of its own."""
        self.products = 0
        self.unknown: set[str] = set()
        self.draws = False
        """Whether an operation draws: for several images it draws otherwise than for one."""
        self.hidden: set[str] = set()
        """Operations that no function which is looked at has called."""

    @contextmanager
    def inside(self, formula: bool) -> Iterator[None]:
        """Run a function that is looked at; with `formula`, its cost is counted elsewhere."""
        self.depth += 1
        self.muted += formula
        try:
            yield
        finally:
            self.depth -= 1
            self.muted -= formula

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """See `torch.utils._python_dispatch`."""
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if not self.depth:
            self.hidden.add(name)
        self.draws |= torch.Tag.nondeterministic_seeded in func.tags
        if self.muted:
            return output
        counter = flop_registry.get(func.overloadpacket)
        if counter is not None:
            self.products += int(counter(*args, **(kwargs or {}), out_val=output)) // 2
        elif not (
            name in _FREE
            or name.rstrip("_") in _FREE
            or func.is_view
            or torch.Tag.pointwise in func.tags
        ):
            self.unknown.add(name)
        return output


def _cost(name: str, args: Any, kwargs: Any, output: Tensor) -> int:
    """What a call with a formula of its own costs, all images together."""
    if name != "scaled_dot_product_attention":
        return cost(name, args, kwargs, output)
    query, key, value = (
        argument(args, kwargs, at, each) for at, each in enumerate(("query", "key", "value"))
    )
    scores = prod(query.shape[:-1]) * key.shape[-2]
    return int(scores * (query.shape[-1] + value.shape[-1]))


def _named(func: Any) -> str:
    """A function's plain name; of an attribute's getter, the attribute's."""
    name = plain(func)
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    return name


def _keeps_rows(index: Any) -> bool:
    """Whether indexing takes all images, in order."""
    parts = index if isinstance(index, tuple) else (index,)
    basic = all(part is None or part is ... or isinstance(part, int | slice) for part in parts)
    return basic and bool(parts) and parts[0] in (slice(None), ...)
