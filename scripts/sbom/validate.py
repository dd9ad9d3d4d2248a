"""Checks CycloneDX files against the schema of the version that they name, and that they list something."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def check(path: str) -> str:
    """Returns what is wrong, or an empty text."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    bom = json.loads(text)
    error = JsonStrictValidator(SchemaVersion.from_version(bom["specVersion"])).validate_str(text)
    if error:
        return str(error)
    unnamed = [c["name"] for c in bom.get("components", []) if "purl" not in c]
    if unnamed:
        return f"no package URL: {', '.join(unnamed)}"
    if not bom.get("components"):
        return "it lists nothing"
    print(f"{path}: {len(bom['components'])} components, CycloneDX {bom['specVersion']}")
    return ""


wrong = False
for name in sys.argv[1:]:
    if message := check(name):
        print(f"{name}: {message}", file=sys.stderr)
        wrong = True
sys.exit(1 if wrong else 0)
