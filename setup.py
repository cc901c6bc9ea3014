"""The wheel that ``az extension add --source`` installs."""

from setuptools import find_packages, setup

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
        "Intended Audience :: System Administrators",
        "Programming Language :: Python :: 3",
    ],
    packages=find_packages(include=["azext_kmsmigrate", "azext_kmsmigrate.*"]),
    package_data={"azext_kmsmigrate": ["azext_metadata.json"]},
    python_requires=">=3.10",
    install_requires=["kubernetes>=31,<36"],
)
