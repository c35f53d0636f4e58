"""Packaging of aigc_jax. Ranges are declared here; `requirements/` pins what is tested."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (ROOT / "aigc_jax/__init__.py").read_text("utf-8").splitlines()
    if line.startswith("__version__")
)

EVALUATE = ["sacrebleu>=2.5", "dm-pix>=0.4.4"]  # BLEU, chrF; SSIM and PSNR

TEXT = ["tokenizers>=0.20", "sentencepiece>=0.2"]  # tokens other than characters and bytes
EMOJI = ["resvg-py>=0.5"]  # draws SVG
OCR = ["rapidocr-onnxruntime==1.4.4 ; python_version < '3.13'", "onnxruntime>=1.20"]  # the reader; what runs it

setup(
    name="aigc_jax",
    version=VERSION,
    description="Generative models in JAX: one trainer for every family",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["aigc_jax", "aigc_jax.*"]), "aigc_jax.configs", "aigc_jax.configs.data"],
    package_dir={"aigc_jax.configs": "configs"},  # an installed package brings them along
    package_data={
        "aigc_jax.preference": ["*.html"],
        "aigc_jax.metrics": ["*.tsv"],
        "aigc_jax.metrics.features": ["weights/*.safetensors"],
    },
    install_requires=[
        # jax 0.10 is the last for Python 3.11; later ones need 3.12
        "jax>=0.10.2,<0.11; python_version < '3.12'",
        "jax>=0.11; python_version >= '3.12'",
        "flax>=0.12.8",
        "optax>=0.2.8",
        "orbax-checkpoint>=0.12.8",
        "clu>=0.0.12",
        "ml-collections>=1.1.0",
        "tensorflow-datasets>=4.9.10",
        "array-record>=0.8",
        "importlib-resources>=6",  # which tensorflow-datasets and clu import without declaring
        "tensorboardX>=2.6.4",
        "pillow>=11",
        "scikit-learn>=1.5",
        "safetensors>=0.5",
        "tqdm>=4.66",
    ],
    entry_points={"console_scripts": ["aigc_jax = aigc_jax.__main__:process"]},
    extras_require={
        "evaluate": EVALUATE,
        "text": TEXT,
        "emoji": EMOJI,
        "ocr": OCR,
        "test": [
            *EVALUATE,
            *EMOJI,
            *TEXT,
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.7",
            "nbclient>=0.10",
            "ipykernel>=6",
            "kubernetes-validate>=1.33",
            "playwright>=1.50",  # drives Debian's chromium, where that is installed
        ],
        "lint": ["ruff>=0.14", "mypy>=1.18", "pre-commit>=4"],
        "tensorflow": ["tensorflow"],  # preparing some of TFDS's own data sets
        "wandb": ["wandb"],
        "cuda": ["jax[cuda12]"],
        "tpu": ["jax[tpu]"],
    },
)
