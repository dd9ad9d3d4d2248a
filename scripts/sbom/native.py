"""Writes a CycloneDX list of Debian packages. Standard input: lines "NAME VERSION [SHA256]"."""

import subprocess
import sys
import warnings

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def main() -> None:
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    warnings.filterwarnings("ignore", "The Component this BOM is describing")  # which package needs which is not listed
    bom = Bom()
    bom.metadata.component = Component(name="modelgateway native libraries", type=ComponentType.APPLICATION)
    for line in sys.stdin:
        name, version, *sums = line.split()
        url = PackageURL("deb", "debian", name, version, {"arch": architecture, "distro": "forky"})
        bom.components.add(Component(
            name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=url.to_string(),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=s) for s in sums],
        ))
    if not bom.components:
        sys.exit("native.py: no packages")
    print(JsonV1Dot6(bom).output_as_string(indent=2))


main()
