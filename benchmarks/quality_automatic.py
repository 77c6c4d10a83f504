"""The strength that is chosen by the looks of each picture: what it costs against the best, and false alarms."""

from pathlib import Path
from statistics import fmean

from kakudai import read_image
from kakudai.engine.choice import choose
from kakudai.evaluate.measure import set_files
from kakudai.image.picture import Picture, Pixels
from kakudai.models.shipped import STYLES
from quality_damaged import CLEAN, SETS, Inputs, Task, conditions, tasks
from quality_methods import Method, Methods, Running
from quality_store import Entry, Store

AUTOMATIC, CHOICES = "automatic", "choices"
ALARMS, WHOLE, HALF = "false alarms", "whole", "half"


def measure_automatic(shared: Path, methods: Methods, store: Store, most: int | None, running: Running) -> None:
    """Look at every damaged and clean picture anew, and measure again where strengths are not those of before."""
    for task in tasks(shared, most):
        restoring, usual = methods.restoring(task.style, task.scale), methods.usual(task.style, task.scale)
        if restoring is None:
            continue
        for condition in conditions():
            inputs = Inputs(task, condition)
            chosen = _choices(inputs.pictures)
            chosen["with"] = usual.key if usual and 0 in chosen["strengths"] else ""
            name = restoring.at(AUTOMATIC)
            known = store.get(task.part, task.name, condition, name) or {}
            if any(known.get(key) != value for key, value in chosen.items()):
                pairs = zip(inputs.pictures, chosen["strengths"], strict=True)
                outputs = (_restored(running, restoring, usual, low, strength) for low, strength in pairs)
                store.put(task.part, task.name, condition, name, entry={**task.scores(outputs), **chosen})
            mean, strength = store.mean(task.part, task.name, condition, name), fmean(chosen["strengths"])
            print(f"{task.part}, {task.name}, {condition}: automatic, {strength:.0f}, {mean:.2f} dB", flush=True)
    for name in SETS:
        whole = [read_image(file) for file in set_files(shared / "data/test" / name)[:most]]
        store.put(ALARMS, name, WHOLE, CHOICES, entry=_choices(whole))
        store.put(ALARMS, name, HALF, CHOICES, entry=_choices(Task(name, 2, shared, most).inputs(CLEAN)))


def _choices(pictures: list[Picture]) -> Entry:
    """Choose for each picture, nothing being said about it."""
    chosen = [choose(picture, STYLES, None) for picture in pictures]
    return {"strengths": [choice.strength for choice in chosen], "styles": [choice.style for choice in chosen]}


def _restored(running: Running, restoring: Method, usual: Method | None, picture: Picture, strength: int) -> Pixels:
    """Do what the engine does: where nothing is to be removed, the network for clean pictures runs, or none."""
    if strength or usual is None:
        return running.run(restoring, picture.color, strength)
    return picture.color if usual.model is None else running.run(usual, picture.color)
