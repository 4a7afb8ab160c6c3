"""SavedModel: one endpoint a signature."""


def write_saved_model(served, path):
    """Write served functions as a SavedModel.

    Args:
        served: dict, name -> ``serving.Signature``.
        path: folder to make.

    Example:
        >>> write_saved_model(of_images(model), "model_folder")           # doctest: +SKIP
    """
    import keras

    archive = keras.export.ExportArchive()  # finds the weights itself; archive.track(model) stores them twice
    for name, signature in served.items():
        archive.add_endpoint(name, _of_one_dict(signature.function), input_signature=[signature.inputs])
    archive.write_out(str(path), verbose=False)


def _of_one_dict(function):
    def endpoint(inputs):  # the archive wants a function of its own, not a lambda with defaults
        return function(inputs)

    return endpoint
