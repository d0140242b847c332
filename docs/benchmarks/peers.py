"""Who has what: methods and points of the contract of other packages, read from what is installed.

    python docs/benchmarks/peers.py install --venvs FOLDER     # one environment each, minutes
    python docs/benchmarks/peers.py read --venvs FOLDER        # results/peers.json, a few minutes
    python docs/benchmarks/run.py tables

`install` makes FOLDER/NAME for each package and installs its newest version beside the pinned
versions of constraints.txt. A package whose own bounds exclude these versions is installed without
its bounds, and so are its dependencies by name; `read` records that, and whether it can be imported
all the same. `read` runs _peer_probe.py in each environment: it looks for class names, runs
scikit-learn's check_estimator on recommenders that are scikit-learn estimators, and tries a CSR
matrix and GridSearchCV. A name says that a method is there, not that it is right or quick.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from _record import write

HERE = Path(__file__).parent
CONSTRAINTS = HERE.parents[1] / "constraints.txt"
MINUTES = 15  # of one installation


class Peer(NamedTuple):
    """A package: how pip and Python name it, what its `fit` reads, and what is tried."""

    name: str
    module: str
    reads: str
    csr: str | None = None
    grid_search: str | None = None


_X = "import numpy as np; from scipy.sparse import random; "
_CSR = _X + "X = random(40, 30, density=0.2, format='csr', random_state=0); "
_PAIRS = (
    _X + "P = np.random.default_rng(0).integers(0, 20, (900, 2)); "
    "P = np.unique(P, axis=0); "
    "from sklearn.model_selection import GridSearchCV; "
)
PEERS = (
    Peer(
        "implicit", "implicit", "CSR matrix",
        _CSR + "from implicit.als import AlternatingLeastSquares as A; "
        "A(factors=2, iterations=1).fit(X, show_progress=False)",
    ),
    Peer(
        "irspack", "irspack", "CSR matrix, in the constructor",
        _CSR + "from irspack import IALSRecommender as A; A(X, n_components=2).learn()",
    ),
    Peer(
        "lenskit", "lenskit", "its own Dataset",
        _CSR + "from lenskit.als import ImplicitMFScorer as A; A().train(X)",
    ),
    Peer(
        "rectools", "rectools", "its own Dataset",
        _CSR + "from rectools.models import EASEModel as A; A().fit(X)",
    ),
    Peer("recbole", "recbole", "files in its own format"),
    Peer(
        "cornac", "cornac", "its own Dataset",
        _CSR + "from cornac.models import EASE as A; A(verbose=False).fit(X)",
    ),
    Peer(
        "sansa", "sansa", "CSR matrix",
        _CSR + "from sansa import SANSA, SANSAConfig; "
        "from sansa import ICFGramianFactorizerConfig, UMRUnitLowerTriangleInverterConfig; "
        "SANSA(SANSAConfig(1.0, 0.1, ICFGramianFactorizerConfig(), "
        "UMRUnitLowerTriangleInverterConfig())).fit(X)",
    ),
    Peer(
        "rusket", "rusket", "CSR matrix or table",
        _CSR + "from rusket import EASE as A; A().fit(X)",
    ),
    Peer(
        "skrecsys", "skrecsys", "pairs of ids",
        _CSR + "from skrecsys.recommendation import EASE as A; A().fit(X)",
        _PAIRS + "from skrecsys.recommendation import EASE as A; "
        "from skrecsys.metrics import make_recommender_scorer, ndcg_at_k; "
        "from skrecsys.model_selection import WarmStartKFold; "
        "score = make_recommender_scorer(ndcg_at_k, k=5); "
        "cv = WarmStartKFold(n_splits=2, shuffle=True, random_state=0); "
        "GridSearchCV(A(), {'l2_reg': [1.0, 9.0]}, cv=cv, scoring=score, error_score='raise')"
        ".fit(P)",
    ),
    Peer("scikit-rec", "skrec", "its own Datasets"),
)  # fmt: skip
# Imported by a package that does not declare them.
UNDECLARED = {"rusket": ("numpy", "scipy", "pandas")}
# Newer ones do not compile against the SuiteSparse of Debian 12 (libsuitesparse-dev).
OLDER = {"scikit-sparse": "scikit-sparse<0.5"}
# By our name: the names under which others have the method.
METHODS = {
    "DummyRecommender": "TopPopRecommender MostPop Pop PopScorer PopularityRecommender "
    "MostPopularRecommender PopularModel PopularityRetriever",
    "ItemKNN": "ItemKNN CosineRecommender CosineKNNRecommender ItemKNNScorer ItemKNNRecommender "
    "ImplicitItemKNNWrapperModel",
    "UserKNN": "UserKNN CosineUserKNNRecommender UserKNNScorer",
    "P3alpha": "P3alphaRecommender",
    "RP3beta": "RP3betaRecommender RP3Beta",
    "EASE": "EASE EASEScorer EASEModel DenseSLIMRecommender",
    "SLIM": "SLIMRecommender SLIMElastic SLIMElasticNet SLIMScorer",
    "SANSA": "SANSA",
    "SLIST": "SLIST",
    "PureSVD": "TruncatedSVDRecommender PureSVDModel",
    "GraphFilter": "GFCF GraphFilter",
    "WMF": "AlternatingLeastSquares IALSRecommender ImplicitMFScorer WMF ALS "
    "ImplicitALSWrapperModel",
    "BPR": "BayesianPersonalizedRanking BPR BPRFMRecommender FlexMFImplicitScorer "
    "ImplicitBPRWrapperModel",
    "BiasedMF": "BiasedMFScorer MF MatrixFactorizationEstimator",
    "MultDAE": "MultiDAE",
    "MultVAE": "MultVAERecommender MultiVAE VAECF",
    "RecVAE": "RecVAE",
    "CDAE": "CDAE",
    "ItemAutoRec": "AutoRec IAutoRec",
    "RBMRecommender": "RBM",
    "GMF": "GMF",
    "MLPRecommender": "MLP",
    "NeuMF": "NeuMF NCFEstimator",
    "LightGCN": "LightGCN LightGCNScorer",
    "SpectralCF": "SpectralCF",
    "CMN": "CMN",
    "YouTubeRecommender": "YouTubeDNN",
    "CTR": "CTR",
    "CDL": "CDL",
    "CVAE": "CVAE",
    "VBPR": "VBPR",
    "DVBPR": "DVBPR",
    "CuratorNet": "CuratorNet",
    "FMClassifier": "FM",
    "WideAndDeep": "WideDeep",
    "DeepFM": "DeepFM DeepFMClassifier",
    "LLORMA": "LLORMA",
    "LOCA": "LOCA",
    "TwoStageRecommender": "Cascade CandidateRankingModel",
    "RankFusion": "ReciprocalRankFusion",
}

# Names that mean another method in one package.
OTHERWISE = {
    "skrecsys": {"AlternatingLeastSquares": "BiasedMF"},
    "rusket": {"SVD": "BiasedMF"},
    "cornac": {"SVD": "BiasedMF"},
}


def method_of(package, name):
    """Our name of a package's method, or None."""
    otherwise = OTHERWISE.get(package, {})
    of_all = {other: ours for ours, names in METHODS.items() for other in names.split()}
    return otherwise.get(name, of_all.get(name))


def install(folder):
    """Make the environments; what pip says is in FOLDER/NAME.log."""
    for peer in PEERS:
        home, log = folder / peer.name, folder / f"{peer.name}.log"
        if home.is_dir():
            print(f"{peer.name}: is there")
            continue
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        newest = f"{peer.name}=={_newest(home, peer)}"
        if peer.name not in UNDECLARED and _pip(home, log, newest):
            print(f"{newest}: installed")
            continue
        if log.is_file():
            log.rename(folder / f"{peer.name}.conflict.log")
        _pip(home, log, "--no-deps", newest)
        lacking = [
            name for name in _needs(home, peer.name) if not _pip(home, log, OLDER.get(name, name))
        ]
        print(f"{newest}: installed without its bounds; lacks {lacking}")


def _pip(home, log, *arguments):
    command = [str(home / "bin" / "pip"), "install", "-c", str(CONSTRAINTS), *arguments]
    with log.open("a") as file:
        try:
            done = subprocess.run(
                command, stdout=file, stderr=file, timeout=60 * MINUTES, check=False
            )
        except subprocess.TimeoutExpired:
            file.write(f"ERROR: longer than {MINUTES} minutes\n")
            return False
    return done.returncode == 0


def _newest(home, peer):
    command = [str(home / "bin" / "pip"), "index", "versions", peer.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"\(([^)]*)\)", done.stdout)[1]


def _needs(home, name):
    code = "import sys, importlib.metadata as m; print(*m.requires(sys.argv[1]) or (), sep='\\n')"
    command = [str(home / "bin" / "python"), "-c", code, name]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [re.match(r"[\w.-]+(\[[^\]]*\])?", each)[0] for each in lines if "extra ==" not in each]
    return sorted({*names, *UNDECLARED.get(name, ())})


def why_not_whole(folder, name):
    """Why the package's own bounds did not hold, in pip's words, or None."""
    log = folder / f"{name}.conflict.log"
    if not log.is_file():
        return None
    lines = [line.strip() for line in log.read_text().splitlines()]
    found = [line for line in lines if " depends on " in line or line.startswith("ERROR: Failed")]
    return found[0] if found else lines[-1]


def read(folder):
    """The answer of each environment."""
    names = {name for names in METHODS.values() for name in names.split()}
    names = sorted(names.union(*OTHERWISE.values()))
    rows = {}
    for peer in PEERS:
        asked = peer._asdict() | {"package": peer.name, "names": names}
        command = [str(folder / peer.name / "bin" / "python"), "-I", str(HERE / "_peer_probe.py")]
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, check=False,
            env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if not done.stdout:
            sys.exit(f"{peer.name}: no answer.\n{done.stderr[-2000:]}")
        rows[peer.name] = {"reads": peer.reads} | json.loads(done.stdout)
        rows[peer.name]["bounds_not_met"] = why_not_whole(folder, peer.name)
    write("peers", {"peers": rows})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["install", "read"])
    parser.add_argument("--venvs", required=True, type=Path, help="folder of the environments")
    options = parser.parse_args()
    {"install": install, "read": read}[options.what](options.venvs.resolve())


if __name__ == "__main__":
    main()
