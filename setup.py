"""Packaging of credit_pathways; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Return the requirements in ``requirements/NAME.in``. ``MANIFEST.in`` has to list that file too."""
    lines = (HERE / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


VERSION = re.search(r'__version__ = "(.+)"', (HERE / "credit_pathways/__init__.py").read_text(encoding="utf-8"))[1]

setup(
    name="credit-pathways",
    version=VERSION,
    description="Learners on an Open edX site request credit for a program from partner universities",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="AGPL-3.0-only",
    # To setuptools, folders of templates and static files are namespace packages.
    packages=find_namespace_packages(include=["credit_pathways", "credit_pathways.*"]),
    include_package_data=True,
    python_requires=">=3.11",
    install_requires=requirements("base"),
    extras_require={name: requirements(name) for name in ("celery", "discovery")},
    entry_points={
        "credentials.djangoapp": [
            "credit_pathways = credit_pathways.apps:CreditPathwaysConfig",
            "credit_pathways_credentials = credit_pathways.contrib.credentials.apps:CredentialsConfig",
        ]
    },
    zip_safe=False,
    classifiers=[
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.1",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
