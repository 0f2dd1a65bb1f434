"""Prints a YAML file, as PyYAML reads it, as JSON with sorted keys."""

import json
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    print(json.dumps(yaml.safe_load(file), sort_keys=True, indent=1))
