"""Does the demo's sum again, from its files: `accuracy.py MODEL.json HELD_OUT.csv WORKSPACE`.

Prints the accuracy of the model on the held-out records, their number, and how many of them also lie
in some site's training data (where the workspace is still there).
"""

import csv
import json
import sys
from pathlib import Path

import numpy

model_file, held_out_file, workspace = map(Path, sys.argv[1:])
model = json.loads(model_file.read_text())
records = list(csv.DictReader(held_out_file.open()))

features = numpy.array([[float(record[name]) for name in model["features"]] for record in records])
malignant = numpy.array([record["malignant"] == "1" for record in records])
evidence = (features - model["mean"]) / model["scale"] @ numpy.array(model["weights"]) + model["bias"]

trained_on = [
    tuple(record[name] for name in model["features"])
    for file in workspace.glob("data/*/train.csv")
    for record in csv.DictReader(file.open())
]
held_out = {tuple(record[name] for name in model["features"]) for record in records}
print(json.dumps({
    "accuracy": float(numpy.mean((evidence > 0) == malignant)),
    "held_out": len(records),
    "trained_on_held_out": sum(record in held_out for record in trained_on),
}))
