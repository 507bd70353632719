"""The peers' learners, and how each is evaluated: prequentially, label delay 0, every row counted. A function takes a
stream and returns (share of rows predicted right, CPU seconds of learning and predicting)."""
import math
import tempfile
import time


def river(make, nominal="text"):
    """River: dicts in; the first predictions, which may be None, count as wrong. Building the dicts is not timed."""

    def evaluate(stream):
        model = make(stream)
        names = stream.columns
        rows = [dict(zip(names, row)) for row in stream.rows]
        if nominal == "one_hot":
            rows = [
                {(name if isinstance(value, float) else f"{name}={value}"): value if isinstance(value, float) else 1.0
                 for name, value in row.items()}
                for row in rows
            ]
        right = 0
        start = time.process_time()
        for row, target in zip(rows, stream.targets):
            right += model.predict_one(row) == target
            model.learn_one(row, target)
        return right / len(rows), time.process_time() - start

    return evaluate


def river_logistic(rate):
    from river import linear_model, multiclass, optim, preprocessing

    def make(stream):
        model = linear_model.LogisticRegression(optimizer=optim.SGD(rate))
        if stream.classes > 2:
            model = multiclass.OneVsRestClassifier(model)
        return preprocessing.StandardScaler() | model

    return river(make, "one_hot")


def river_tree(kind):
    from river import forest, tree

    makers = {
        "hoeffding": lambda: tree.HoeffdingTreeClassifier(),
        "adaptive": lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1),
        "forest": lambda: forest.ARFClassifier(n_models=10, seed=1),
    }
    return river(lambda stream: makers[kind]())


def river_knn(k, window=1000):
    from river import neighbors, preprocessing

    def make(stream):
        engine = neighbors.LazySearch(window_size=window)
        return preprocessing.StandardScaler() | neighbors.KNNClassifier(n_neighbors=k, engine=engine)

    return river(make, "one_hot")


def vowpal(options):
    """Vowpal Wabbit reading a file in its own text format, one line a row, as its command line does; progressive validation,
    whose loss is the number of rows predicted wrong. Parsing is timed: it is part of what VW does."""

    def evaluate(stream):
        import vowpalwabbit

        binary = stream.classes == 2
        loss = "--binary --loss_function logistic" if binary else f"--oaa {stream.classes}"
        with tempfile.NamedTemporaryFile("w", suffix=".vw") as file:
            for row, target in zip(stream.rows, stream.targets):
                label = (2 * target - 1) if binary else target + 1
                features = " ".join(
                    f"{name}:{value!r}" if isinstance(value, float) else f"{name}={clean(value)}"
                    for name, value in zip(stream.columns, row)
                )
                file.write(f"{label} |x {features}\n")
            file.flush()
            start = time.process_time()
            workspace = vowpalwabbit.Workspace(f"--quiet -d {file.name} {loss} {options}")
            cpu = time.process_time() - start
            assert workspace.get_weighted_examples() == len(stream), "not every line was read"
            wrong = workspace.get_sum_loss()
            workspace.finish()
        return 1 - wrong / len(stream), cpu

    return evaluate


def clean(text):
    return text.replace(" ", "_").replace(":", "_").replace("|", "_")


def moa(name, **options):
    """A learner of MOA through CapyMOA, evaluated in Java. Nominal values become numbers in the order in which they come, as
    CapyMOA's NumPy streams have it."""

    def evaluate(stream):
        import numpy
        from capymoa import classifier
        from capymoa.evaluation import prequential_evaluation
        from capymoa.stream import NumpyStream

        codes = [{} for _ in stream.columns]
        values = numpy.array(
            [
                [value if isinstance(value, float) else codes[i].setdefault(value, len(codes[i])) for i, value in enumerate(row)]
                for row in stream.rows
            ],
            dtype=float,
        )
        source = NumpyStream(values, numpy.array(stream.targets), target_name="class", feature_names=stream.columns, target_type="categorical")
        learner = getattr(classifier, name)(schema=source.get_schema(), **options)
        start = time.process_time()
        results = prequential_evaluation(stream=source, learner=learner, window_size=10_000)
        cpu = time.process_time() - start
        return results["cumulative"].accuracy() / 100, cpu

    return evaluate


RATES = [0.003, 0.01, 0.03, 0.1, 0.3, 0.5]
# What `vw` does unasked is not run twice.
VW_DEFAULT = "-l 0.5"
VW_GRID = [f"-l {rate} {power}".strip() for rate in (0.05, 0.5, 2, 10) for power in ("", "--power_t 0")]

# Library defaults.
DEFAULTS = {
    "river_logistic": lambda: river_logistic(0.01),
    "vw": lambda: vowpal(""),
    "moa_hoeffding_tree": lambda: moa("HoeffdingTree"),
    "moa_hoeffding_adaptive_tree": lambda: moa("HoeffdingAdaptiveTree"),
    "moa_arf_10": lambda: moa("AdaptiveRandomForestClassifier", ensemble_size=10),
    "moa_leveraging_bagging_10": lambda: moa("LeveragingBagging", ensemble_size=10),
    "moa_knn_3_1000": lambda: moa("KNN"),
    "river_hoeffding_tree": lambda: river_tree("hoeffding"),
    "river_hoeffding_adaptive_tree": lambda: river_tree("adaptive"),
    "moa_samknn": lambda: moa("SAMkNN"),
    "moa_srp_10": lambda: moa("StreamingRandomPatches", ensemble_size=10),
    "river_arf_10": lambda: river_tree("forest"),
    "river_knn_5_1000": lambda: river_knn(5),
}

# A small grid; the best on each stream is shown as such, which favours the peers.
TUNED = {
    "moa_knn k=1": lambda: moa("KNN", k=1),
    **{f"vw {options}".strip(): (lambda options=options: vowpal(options)) for options in VW_GRID if options != VW_DEFAULT},
    "vw -q xx": lambda: vowpal("-q xx"),
    **{f"river_logistic rate={rate}": (lambda rate=rate: river_logistic(rate)) for rate in RATES if rate != 0.01},
    "moa_arf_10 lambda=1": lambda: moa("AdaptiveRandomForestClassifier", ensemble_size=10, lambda_param=1.0),
    "moa_arf_30": lambda: moa("AdaptiveRandomForestClassifier", ensemble_size=30),
}

# Ours, by the names that `replay --learner` takes.
OURS = [
    "auto", "linear", "ftrl", "mlp", "hoeffding_tree", "hoeffding_adaptive_tree", "arf", "knn", "sam_knn",
    "online_bagging", "leveraging_bagging", "srp", "boosting", "naive_bayes", "majority", "no_change",
]


def accuracy_ceiling(name):
    """What no learner can beat, where the generator's noise is known."""
    known = {"sea": 0.90, "hyperplane": 0.95, "agrawal": 0.953}
    return next((ceiling for start, ceiling in known.items() if name.startswith(start)), math.nan)
