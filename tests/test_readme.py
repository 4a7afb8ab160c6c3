"""The README's snippets run, and its table and the cards are what results.csv says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import sklearn

from keras_segattn import zoo
from keras_segattn.cli.main import segattn
from keras_segattn.zoo import card, results

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def test_the_snippets_of_the_readme_run_one_after_the_other(tmp_path, monkeypatch):
    shutil.copy(Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names = {}
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert len(snippets) == 4
    assert names["report"].parity.agreement >= 0.9999
    assert (tmp_path / "mask.png").is_file()


@pytest.mark.parametrize("guide", ["own", "language", "spatial_transformer"])
def test_the_snippets_of_a_guide_run(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{guide}.md").read_text(), flags=re.DOTALL)
    assert snippets
    names = {}
    for snippet in snippets:
        exec(compile(snippet, f"{guide}.md", "exec"), names)


def commands():
    """What the README and the guides tell to type, by the place where they do."""
    for page in (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL):
            for line in block.splitlines():
                if line.startswith("segattn "):
                    yield pytest.param(shlex.split(line, comments=True)[1:], id=f"{page.name}: {line}")


@pytest.mark.parametrize("words", commands())
def test_a_command_that_is_told_is_one(words):
    verb, *arguments = words
    command = segattn.get_command(None, verb)
    with command.make_context(verb, arguments):  # which raises at an option or a value that there is not
        pass


def test_the_table_of_the_readme_is_made_from_the_results():
    text = README.read_text()
    assert card.readme(text, results.read()) == text


@pytest.mark.parametrize("name", zoo.list_models())
def test_the_card_of_an_entry_is_made_from_its_recipe_and_results(name):
    assert (card.CARDS / f"{name}.md").read_text() == card.card(name, results.read())
