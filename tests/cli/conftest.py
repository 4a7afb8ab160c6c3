"""One exported file for the tests of the command line."""

import pytest

from keras_segattn.cli.main import main

NAME = "fcn8s_mobilenet_camvid"


@pytest.fixture
def segattn(capsys):
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        code = stop.value.code
        if isinstance(code, str):  # sys.exit(message) prints it and exits with 1
            code, err = 1, err + code
        return code, out, err

    return run


@pytest.fixture(scope="session")
def exports(once):
    """A folder with the float32 .tflite of the entry and its report, made by ``segattn export``."""

    def export(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("KERAS_SEGATTN_DATA", raising=False)
            with pytest.raises(SystemExit) as stop:
                main(["export", NAME, "--format", "tflite", "--output", str(folder)])
        assert stop.value.code == 0
        return folder

    return once("exports", export)


@pytest.fixture(scope="session")
def tflite(exports):
    return exports / f"{NAME}_float32.tflite"
