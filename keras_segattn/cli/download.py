"""``segattn download``: the weights of an entry, checked."""

import json

import click


@click.command("download")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(name, as_json):
    """Fetch and check the weights of the entry NAME; print where they are."""
    from .. import zoo

    path = str(zoo.download(name, progress=not as_json))
    click.echo(json.dumps({"name": name, "path": path}) if as_json else path)
