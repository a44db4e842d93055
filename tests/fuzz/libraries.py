"""The models of torchvision, timm and transformers in small sizes, where these are installed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from typing import Any

import torch
from fuzz.zoo import CLASSES, Entry, Make, Of, entries
from torch import Tensor, nn

SIDE = 16


@cache
def library(name: str) -> Any:
    """A library, imported. Raises ImportError with the reason where it is not installed."""
    try:
        return import_module(name)
    except RuntimeError as error:
        # A build of torchvision for another accelerator lacks operations of detectors, which no
        # model here calls.
        if "torchvision::" not in str(error):
            raise ImportError(f"{name}: {error}") from error
        for operation in ("nms", "qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{operation}", schema)
        return import_module(name)


def vision(make: Callable[[Any], nn.Module]) -> Make:
    return lambda: make(library("torchvision.models"))


def tv_resnet(models: Any, kind: str, **options: Any) -> nn.Module:
    module = models.ResNet(
        getattr(models.resnet, kind), [1, 1, 1, 1], num_classes=CLASSES, **options
    )
    return narrowed(module)


def narrowed(module: nn.Module) -> nn.Module:
    """The first stage of a ResNet, and a head."""
    module.layer2 = module.layer3 = module.layer4 = nn.Identity()
    last = module.layer1[-1]
    width = (last.conv3 if hasattr(last, "conv3") else last.conv2).out_channels
    module.fc = nn.Linear(width, CLASSES)
    return module


def tv_efficientnet(models: Any) -> nn.Module:
    config = models.efficientnet.MBConvConfig
    return models.EfficientNet(
        [config(1, 3, 1, 8, 8, 1, 1, 1), config(4, 3, 2, 8, 16, 1, 1, 1)],
        dropout=0.0, num_classes=CLASSES, last_channel=16,
    )  # fmt: skip


def tv_mobilenet(models: Any) -> nn.Module:
    config = partial(models.mobilenetv3.InvertedResidualConfig, dilation=1, width_mult=1.0)
    return models.MobileNetV3(
        [config(8, 3, 8, 8, True, "RE", 2), config(8, 3, 16, 16, True, "HS", 2)],
        last_channel=16, num_classes=CLASSES, dropout=0.0,
    )  # fmt: skip


def tv_convnext(models: Any) -> nn.Module:
    config = models.convnext.CNBlockConfig
    return models.ConvNeXt([config(8, 16, 1), config(16, None, 1)], num_classes=CLASSES)


def tv_regnet(models: Any) -> nn.Module:
    params = models.regnet.BlockParams.from_init_params(2, 8, 8.0, 2.0, 8, se_ratio=0.25)
    return models.RegNet(params, num_classes=CLASSES, stem_width=8)


def tv_swin(models: Any) -> nn.Module:
    return models.SwinTransformer(
        [2, 2], 8, [1, 1], [2, 2], [2, 2], stochastic_depth_prob=0.0, num_classes=CLASSES
    )


TORCHVISION = entries(
    "torchvision",
    {
        "ResNet": vision(partial(tv_resnet, kind="BasicBlock")),
        "ResNeXt": vision(partial(tv_resnet, kind="Bottleneck", groups=4, width_per_group=2)),
        "ResNet of group norms": vision(
            partial(tv_resnet, kind="BasicBlock", norm_layer=partial(nn.GroupNorm, 4))
        ),
        "MobileNet v2": vision(
            lambda models: nn.Sequential(
                nn.Conv2d(3, 8, 3, 2),
                models.mobilenetv2.InvertedResidual(8, 8, 1, 4),
                models.mobilenetv2.InvertedResidual(8, 16, 2, 4),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(16, CLASSES),
            )
        ),
        "MobileNet v3": vision(tv_mobilenet),
        "ShuffleNet": vision(
            lambda models: nn.Sequential(
                nn.Conv2d(3, 8, 3, 2),
                models.shufflenetv2.InvertedResidual(8, 16, 2),
                models.shufflenetv2.InvertedResidual(16, 16, 1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(16, CLASSES),
            )
        ),
        "DenseNet": vision(lambda models: models.DenseNet(4, (2, 2), 8, num_classes=CLASSES)),
        "EfficientNet": vision(tv_efficientnet),
        "RegNet": vision(tv_regnet),
        "ConvNeXt": vision(tv_convnext),
        "Swin": vision(tv_swin),
        "ViT": vision(
            lambda models: models.VisionTransformer(SIDE, 4, 1, 2, 8, 16, num_classes=CLASSES)
        ),
        "SqueezeNet's fire": vision(
            lambda models: nn.Sequential(
                nn.Conv2d(3, 8, 3, 2),
                models.squeezenet.Fire(8, 4, 8, 8),
                nn.Conv2d(16, CLASSES, 1),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )
        ),
        "Inception's block": vision(
            lambda models: nn.Sequential(
                nn.Conv2d(3, 8, 3),
                library("torchvision.models.googlenet").Inception(8, 4, 4, 8, 2, 4, 4),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(20, CLASSES),
            )
        ),
    },
)


def timm(name: str, kind: str, **options: Any) -> Make:
    return lambda: getattr(library(f"timm.models.{name}"), kind)(num_classes=CLASSES, **options)


def timm_resnet() -> nn.Module:
    block = library("timm.models.resnet").BasicBlock
    sizes = {"layers": (1, 1, 1, 1), "channels": (8, 8, 16, 16), "stem_width": 8}
    return timm("resnet", "ResNet", block=block, **sizes)()


TIMM = entries(
    "timm",
    {
        "ResNet": timm_resnet,
        "ViT": timm(
            "vision_transformer",
            "VisionTransformer",
            img_size=SIDE,
            patch_size=4,
            embed_dim=8,
            depth=1,
            num_heads=2,
        ),
        "Mixer": timm(
            "mlp_mixer", "MlpMixer", img_size=SIDE, patch_size=4, num_blocks=1, embed_dim=8
        ),
        "ConvMixer": timm("convmixer", "ConvMixer", dim=8, depth=1, kernel_size=3, patch_size=4),
        "GhostNet": timm(
            "ghostnet",
            "GhostNet",
            cfgs=[[[3, 8, 8, 0, 1]], [[3, 16, 8, 0.25, 2]]],
            width=0.5,
            drop_rate=0.0,
        ),
        "DenseNet": timm("densenet", "DenseNet", growth_rate=4, block_config=(2, 2)),
    },
)


def hugging(kind: str, config: str, **options: Any) -> Make:
    def build() -> nn.Module:
        with suppress(ImportError):  # Where it is here, transformers imports it.
            library("torchvision")
        transformers = library("transformers")
        given = getattr(transformers, config)(num_labels=CLASSES, **options)
        return getattr(transformers, kind)(given)

    return build


def worded(module: Any, x: Tensor) -> Any:
    words = (x.flatten(1)[:, ::48] * 4).long().clamp(-8, 7) + 8
    return module.net(input_ids=words)


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


def bert(**dropout: float) -> Make:
    return hugging(
        "BertForSequenceClassification",
        "BertConfig",
        vocab_size=16,
        max_position_embeddings=32,
        **SMALL,
        **dropout,
    )


TRANSFORMERS = entries(
    "transformers",
    {
        "ViT": hugging(
            "ViTForImageClassification",
            "ViTConfig",
            image_size=SIDE,
            patch_size=4,
            **SMALL,
            **NO_DROPOUT,
        ),
        "ResNet": hugging(
            "ResNetForImageClassification",
            "ResNetConfig",
            embedding_size=8,
            hidden_sizes=[8, 16],
            depths=[1, 1],
            layer_type="basic",
        ),
        "ConvNeXt": hugging(
            "ConvNextForImageClassification",
            "ConvNextConfig",
            hidden_sizes=[8, 16],
            depths=[1, 1],
            num_stages=2,
            patch_size=2,
        ),
        "MobileNet": hugging(
            "MobileNetV2ForImageClassification",
            "MobileNetV2Config",
            depth_multiplier=0.1,
            classifier_dropout_prob=0.0,
        ),
        "BERT": lambda: Of(worded, net=bert(**NO_DROPOUT)()),
        "BERT with dropout": lambda: Of(worded, net=bert()()),
    },
)

LIBRARIES: dict[str, list[Entry]] = {
    "torchvision": TORCHVISION,
    "timm": TIMM,
    "transformers": TRANSFORMERS,
}
