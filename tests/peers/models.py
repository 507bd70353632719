"""The peers' learners, and how each is evaluated: prequentially, label delay 0, every row counted. A function takes a
stream and returns (share of rows predicted right, CPU seconds of learning and predicting)."""
import math
import re
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
    """Without what VW's text format and ARFF give a meaning."""
    return re.sub(r"[^0-9A-Za-z_.+-]", "_", text) or "_"


def moa(name, **options):
    """A learner of MOA through CapyMOA, evaluated in Java on an ARFF file, which is what it is fast on. Its parsing is timed,
    as are Java's compiler and collector."""

    def evaluate(stream):
        from capymoa import classifier
        from capymoa.evaluation import prequential_evaluation
        from capymoa.stream import ARFFStream

        with tempfile.NamedTemporaryFile("w", suffix=".arff") as file:
            write_arff(stream, file)
            file.flush()
            source = ARFFStream(file.name)
            learner = getattr(classifier, name)(schema=source.get_schema(), **options)
            start = time.process_time()
            results = prequential_evaluation(stream=source, learner=learner, window_size=10_000)
            cpu = time.process_time() - start
        cumulative = results["cumulative"]
        assert cumulative["instances"] == len(stream), "not every row was read"
        return cumulative.accuracy() / 100, cpu

    return evaluate


def write_arff(stream, file):
    file.write("@relation stream\n")
    for column, (name, nominal) in enumerate(zip(stream.columns, stream.nominal)):
        values = sorted({clean(row[column]) for row in stream.rows}) if nominal else []
        file.write(f"@attribute {clean(name)} {'{' + ','.join(values) + '}' if nominal else 'numeric'}\n")
    file.write("@attribute class {" + ",".join(map(str, range(stream.classes))) + "}\n@data\n")
    for row, target in zip(stream.rows, stream.targets):
        file.write(",".join(repr(value) if isinstance(value, float) else clean(value) for value in row) + f",{target}\n")


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
