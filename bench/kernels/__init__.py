"""Kernels: plain torch, and the same in Triton where there is a GPU; one file each.

Each file but `batch_norm` and `box_average`, which serve CPUs alone, holds a launcher that picks,
its reference `<launcher>_torch`, and `cost`: floating-point operations and bytes of a call with
those tensors.
"""

KERNELS = {
    "batch_norm_jet": "batch_norm_jet",
    "grouped_conv_norm_relu": "grouped_conv_norm_relu",
    "normalised_difference": "normalised_difference",
    "pattern_gram": "pattern_gram",
    "saliency": "saliency_sums",
    "sign_codes": "sign_codes",
}
"""The launcher's name by that of its file."""
