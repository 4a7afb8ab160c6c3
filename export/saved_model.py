"""SavedModel: one endpoint a signature."""


def write_saved_model(model, path):
    """Write the served functions of a model as a SavedModel.

    Args:
        model: keras.Model on the TensorFlow backend, see ``serving.signatures``.
        path: folder to make.

    Example:
        >>> write_saved_model(model, "model_folder")                         # doctest: +SKIP
    """
    import keras

    from .serving import image_spec, signatures

    archive = keras.export.ExportArchive()  # finds the weights itself; archive.track(model) stores them twice
    for name, function in signatures(model).items():
        archive.add_endpoint(name, function, input_signature=[image_spec(model)])
    archive.write_out(str(path), verbose=False)
