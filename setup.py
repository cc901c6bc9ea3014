"""The wheel that ``az extension add --source`` installs."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

from shipment import shipped


class BuildPy(build_py):
    """Puts each module into the form in which it is shipped."""

    def build_module(self, module, module_file, package):
        built, fresh = super().build_module(module, module_file, package)
        if fresh:
            path = Path(built)
            path.write_text(shipped(path.read_text(encoding="utf-8")), encoding="utf-8")
        return built, fresh


setup(
    name="aks-kms-migrate",
    version="1.0.0b1",
    description=(
        "Support for migrating AKS clusters from KMS v1 to KMS v2 etcd encryption, with evidence that every"
        " Secret is stored under the new key: plan, start and verify."
    ),
    license="MIT",
    author="The aks-kms-migrate developers",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Programming Language :: Python",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "License :: OSI Approved :: MIT License",
    ],
    packages=find_packages(include=["azext_kmsmigrate", "azext_kmsmigrate.*"]),
    package_data={"azext_kmsmigrate": ["azext_metadata.json"]},
    python_requires=">=3.10",
    install_requires=["kubernetes>=31,<36"],
    cmdclass={"build_py": BuildPy},
)
