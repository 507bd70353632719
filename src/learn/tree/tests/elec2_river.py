"""Golden splits and scores of River 0.26.1's HoeffdingTreeClassifier on elec2, rows prequentially, values as f32.

Run: python elec2_river.py loadgen/data/elec2.csv.gz > elec2_river.csv (River 0.26.1, NumPy)
`max_share_to_split=1`: River deactivates a leaf for good once a class has a larger share; ours does not. The grace period
is a little shorter than a whole number, because the weight that a leaf inherits is not one, and rounding decides then.
"""
import csv, gzip, sys
import numpy as np
from river import tree
from river.tree.nodes.branch import DTBranch

def rows(path):
    with gzip.open(path, "rt") as f:
        r = csv.reader(f); head = next(r)[:-1]
        for line in r:
            yield {i: float(np.float32(v)) for i, v in enumerate(line[:-1])}, int(line[-1])

class Tree(tree.HoeffdingTreeClassifier):
    now = 0
    def _attempt_to_split(self, leaf, parent, branch, **kw):
        before = self._n_active_leaves
        super()._attempt_to_split(leaf, parent, branch, **kw)
        if self._n_active_leaves > before:
            new = self._root if parent is None else parent.children[branch]
            print(f"split,{self.now},{new.feature},{new.threshold!r}")

for name, args in [("delta 1e-7, grace 200, adaptive", dict(delta=1e-7, grace_period=200 - 1e-6)), ("delta 0.01, grace 50, adaptive", dict(delta=0.01, grace_period=50 - 1e-6)), ("delta 0.01, grace 50, majority", dict(delta=0.01, grace_period=50 - 1e-6, leaf_prediction="mc"))]:
    print(f"case,{name}")
    t = Tree(max_share_to_split=1.0, **args)
    right = n = 0
    for i, (x, y) in enumerate(rows(sys.argv[1])):
        t.now = i
        p = t.predict_one(x)
        right += (p if p is not None else 0) == y; n += 1
        t.learn_one(x, y)
    print(f"right,{right},{n},{right/n:.4f}")
