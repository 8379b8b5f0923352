# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""The list of the packages of an image, as SPDX 2.3 in JSON: those of Debian and those of Python.

Run in the image: python3 sbom.py > sbom.spdx.json
"""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from urllib.parse import quote

FORMAT = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"


def debian() -> list[tuple[str, str, str]]:
    """Return name, version and package URL of what dpkg knows as installed."""
    text = subprocess.run(
        ["dpkg-query", "-W", "-f", FORMAT], check=True, capture_output=True, text=True
    ).stdout
    rows = (line.split("\t") for line in text.splitlines())
    return [
        (name, version, f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch={architecture}")
        for name, version, architecture, status in rows
        if status == "installed"
    ]


def python() -> list[tuple[str, str, str]]:
    """Return the same for packages of Python that are not of Debian."""
    found = {}
    for each in metadata.distributions():
        if "/dist-packages" in str(each.locate_file("")) and "/local/" in str(each.locate_file("")):
            name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
            found[name] = (name, each.version, f"pkg:pypi/{name}@{quote(each.version, safe='')}")
    return list(found.values())


def document() -> dict[str, object]:
    """Return the document."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    packages = [
        {
            "SPDXID": f"SPDXRef-{number}",
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": url,
                }
            ],
        }
        for number, (name, version, url) in enumerate(sorted([*debian(), *python()]))
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "mfresnet image",
        "documentNamespace": f"urn:mfresnet:image:{now}",
        "creationInfo": {"created": now, "creators": ["Tool: packaging/sbom.py"]},
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
