"""``segattn``: finds the verb, runs it, and turns an error into one line."""

import importlib
import os
import sys

import click

VERBS = ("list", "info", "predict", "export", "lint", "evaluate", "check", "train", "benchmark", "demo", "download")


class Verbs(click.Group):
    """A group whose verbs are imported when they are named: ``predict`` on a file loads no TensorFlow.

    Example:
        >>> Verbs().list_commands(None)[:3]
        ['list', 'info', 'predict']
    """

    def list_commands(self, context):
        return list(VERBS)

    def get_command(self, context, name):
        return importlib.import_module(f".{name}", __package__).command if name in VERBS else None


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error. May stand anywhere.")
@click.version_option(package_name="keras_segattn")
def segattn(debug):
    """Segmentation and attention for Keras: pretrained models, and exports that are proven."""


def main(arguments=None):
    """Run the command line and exit: 0 on success, 1 on an error, 2 on wrong usage.

    Args:
        arguments: list of str, default ``sys.argv[1:]``.

    Raises:
        SystemExit: always.

    Example:
        >>> main(["list", "fcn8s_*", "--names"])
        Traceback (most recent call last):
        SystemExit: 0
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    debug = "--debug" in arguments
    try:
        segattn([word for word in arguments if word != "--debug"], prog_name="segattn", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("segattn: interrupted")
    except Exception as error:
        if debug:
            raise
        sys.exit(f"segattn: {_line(error)}")
    sys.exit(0)


def _line(error):
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 600 else f"{text[:600]}..."


if __name__ == "__main__":
    main()
