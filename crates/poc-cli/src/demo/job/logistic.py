"""Logistic regression in NumPy: all the mathematics of the demo, used by the server and by every site."""

import json
from pathlib import Path

import numpy as np

# One round's budget of a site: that many steps of gradient descent over all of its records.
LOCAL_STEPS = 10
LEARNING_RATE = 0.1
L2_PENALTY = 0.001


def data_dir():
    """The folder that holds every site's records, each in a folder of its own, and the held-out ones."""
    settings = Path(__file__).with_name("settings.json")
    return Path(json.loads(settings.read_text(encoding="utf-8"))["data_dir"])


def read_records(path):
    """The features (a row a record) and the labels (1 for malignant) of a CSV file with one header line."""
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
    return table[:, :-1], table[:, -1]


def feature_names(path):
    """The names of the feature columns of a CSV file."""
    with open(path, encoding="utf-8") as file:
        return file.readline().strip().split(",")[:-1]


def statistics(features):
    """What a site tells about its features, so that all sites can scale alike: count, sum, sum of squares."""
    return {
        "count": np.array([float(len(features))]),
        "sum": features.sum(axis=0),
        "sum_of_squares": np.square(features).sum(axis=0),
    }


def scaling(parts):
    """Mean and standard deviation over the union of the records behind several sites' statistics."""
    count, total, squares = (sum(part[key] for part in parts) for key in ("count", "sum", "sum_of_squares"))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - np.square(mean), 0.0))
    return {"mean": mean, "scale": np.where(deviation > 0.0, deviation, 1.0)}


def zeros(features):
    """The model that every training starts from."""
    return {"weights": np.zeros(features), "bias": np.zeros(1)}


def scale(features, by):
    """The features, each with mean 0 and standard deviation 1 where `by` was taken."""
    return (features - by["mean"]) / by["scale"]


def train(model, features, labels):
    """The model after one round's local steps. Features must be scaled; nothing is random."""
    weights, bias = model["weights"], model["bias"]
    for _ in range(LOCAL_STEPS):
        error = 1.0 / (1.0 + np.exp(-(features @ weights + bias))) - labels
        weights = weights - LEARNING_RATE * (features.T @ error / len(labels) + L2_PENALTY * weights)
        bias = bias - LEARNING_RATE * error.mean()
    return {"weights": weights, "bias": bias}


def accuracy(model, features, labels):
    """The share of the records whose class the model finds. Features must be scaled."""
    malignant = features @ model["weights"] + model["bias"] > 0.0
    return np.count_nonzero(malignant == (labels == 1)) / len(labels)
