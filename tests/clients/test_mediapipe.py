"""MediaPipe's ImageSegmenter on its own tail."""

import pytest

from keras_segattn import zoo

from .conftest import NAME

pytest.importorskip("mediapipe", reason="mediapipe is not installed: make test-clients")


@pytest.fixture(scope="module")
def file(exported):
    return exported("--format", "tflite", "--tail", "mediapipe")


def test_mediapipe_gives_the_mask_of_keras_and_the_names_of_the_classes(file, answer, hold):
    facts, labels = answer("MediaPipe", file)
    hold(labels)
    assert tuple(facts["classes"]) == zoo.data.DATASETS[zoo.info(NAME).dataset].classes


def test_mediapipes_own_reader_understands_the_metadata(file):
    from ai_edge_litert import schema_py_generated as tflite
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    model = tflite.Model.GetRootAs(file.read_bytes(), 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
    data = bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    assert schema.ModelMetadata.ModelMetadataBufferHasIdentifier(data, 0)
    read = schema.ModelMetadataT.InitFromObj(schema.ModelMetadata.GetRootAs(data, 0))
    (function,) = read.subgraphMetadata
    (image,), (answer,) = function.inputTensorMetadata, function.outputTensorMetadata
    assert (read.name.decode(), image.name, answer.name) == (NAME, b"image", b"probabilities")
    assert image.content.contentProperties.colorSpace == schema.ColorSpaceType.RGB
    assert image.processUnits[0].options.std.tolist() == [1.0]
    assert answer.associatedFiles[0].type == schema.AssociatedFileType.TENSOR_AXIS_LABELS
