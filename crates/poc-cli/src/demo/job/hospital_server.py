"""The server's side: NVFlare's FedAvg over the hospitals, with a report a round."""

import json
from pathlib import Path

import logistic
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.workflows.base_fedavg import BaseFedAvg


class HospitalFedAvg(BaseFedAvg):
    """Federated averaging whose result is the same to the last bit in every run.

    Writes two files into the job's run directory, which NVFlare hands out with the job's result:
    ``progress.jsonl``, a line as each round ends, and ``global-model.json``, the model of the last round.
    """

    def __init__(self, num_clients, num_rounds):
        # The model is kept as JSON by this class, so there is no persistor.
        # A round takes milliseconds: look often whether it is over.
        super().__init__(num_clients=num_clients, num_rounds=num_rounds, persistor_id="", task_check_period=0.05)

    def run(self):
        held_out_file = logistic.data_dir() / "held-out.csv"
        held_out, held_out_labels = logistic.read_records(held_out_file)
        hospitals = sorted(self.sample_clients(self.num_clients))

        counts = self.ask(hospitals, "statistics", FLModel(params={}))
        scaling = logistic.scaling([result.params for result in counts])
        held_out = logistic.scale(held_out, scaling)

        model = logistic.zeros(held_out.shape[1])
        for self.current_round in range(self.num_rounds):
            task = FLModel(params=model | scaling, current_round=self.current_round, total_rounds=self.num_rounds)
            results = self.ask(hospitals, "train", task)
            model = self.aggregate(results).params
            self.report(
                {
                    "round": self.current_round + 1,
                    "rounds": self.num_rounds,
                    "global": logistic.accuracy(model, held_out, held_out_labels),
                    "sites": {name_of(result): result.metrics["accuracy"] for result in results},
                    "alone": {name_of(result): result.metrics["alone"] for result in results},
                }
            )
        self.keep(model, scaling, logistic.feature_names(held_out_file))

    def ask(self, hospitals, task_name, model):
        """Every hospital's answer, in the order of their names: sums of floats depend on the order."""
        results = self.send_model_and_wait(task_name=task_name, data=model, targets=hospitals)
        if len(results) != len(hospitals):
            raise RuntimeError(f"only {len(results)} of {len(hospitals)} hospitals answered the task {task_name}")
        return sorted(results, key=name_of)

    def report(self, line):
        with open(Path(self.get_run_dir()) / "progress.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def keep(self, model, scaling, features):
        """A record is malignant if sum(weights * (record - mean) / scale) + bias > 0."""
        result = {
            "format": "poc-demo/logistic-regression/1",
            "features": features,
            "mean": scaling["mean"].tolist(),
            "scale": scaling["scale"].tolist(),
            "weights": model["weights"].tolist(),
            "bias": float(model["bias"][0]),
        }
        path = Path(self.get_run_dir()) / "global-model.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def name_of(result):
    return result.meta["client_name"]
