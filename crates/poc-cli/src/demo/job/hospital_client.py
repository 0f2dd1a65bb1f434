"""What one hospital does: it trains the model that it receives on its own records, which never leave it."""

import logistic
import nvflare.client as flare
from nvflare.apis.fl_constant import FLMetaKey
from nvflare.client import FLModel


def main():
    flare.init()
    data = logistic.data_dir()
    records, labels = logistic.read_records(data / flare.get_site_name() / "train.csv")
    held_out, held_out_labels = logistic.read_records(data / "held-out.csv")

    # The same hospital without the federation: its own scaling, the same budget a round.
    own_scaling = logistic.scaling([logistic.statistics(records)])
    alone = logistic.zeros(records.shape[1])

    while flare.is_running():
        received = flare.receive()
        if flare.get_task_name() == "statistics":
            flare.send(FLModel(params=logistic.statistics(records)))
            continue

        scaling = received.params
        local = logistic.train(received.params, logistic.scale(records, scaling), labels)
        alone = logistic.train(alone, logistic.scale(records, own_scaling), labels)
        flare.send(
            FLModel(
                params=local,
                metrics={
                    "accuracy": logistic.accuracy(local, logistic.scale(held_out, scaling), held_out_labels),
                    "alone": logistic.accuracy(alone, logistic.scale(held_out, own_scaling), held_out_labels),
                },
                # FedAvg's weight of this hospital: how many records it trained on.
                meta={FLMetaKey.NUM_STEPS_CURRENT_ROUND: len(records)},
            )
        )


if __name__ == "__main__":
    main()
