// How pictures come in: chosen, dropped, pasted, photographed, or one of the samples; and what is looked at then.

import { release } from "./items.js";
import { checkFile } from "./limits.js";
import { showProblem } from "./panel.js";
import { Problem, asProblem } from "./problems.js";
import { drawSmall } from "./strip.js";

/** Call `take(files)` whenever pictures come in, and mark the page while one is held over it. */
export function watchIntake({ file, camera, samples, pageMark }, take) {
  for (const input of [file, camera]) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = "";
    });
  }
  for (const sample of samples) {
    sample.addEventListener("click", async () => {
      const address = new URL(sample.dataset.sample, import.meta.url);
      const blob = await (await fetch(address)).blob();
      take([new File([blob], address.pathname.split("/").pop(), { type: blob.type })]);
    });
  }
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files.map(named));
  });
  watchDrops(pageMark, take);
}

/** Give a pasted picture a name that tells it from others: browsers call all of them image.png. */
function named(file) {
  if (file.name !== "image.png") return file;
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  return new File([file], `pasted ${time}.png`, { type: file.type });
}

function watchDrops(mark, take) {
  let depth = 0; // dragenter and dragleave come for each element on the way
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (change) => {
    depth = Math.max(0, change(depth));
    mark.classList.toggle("held", depth > 0);
  };
  addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) show((value) => value + 1);
  });
  addEventListener("dragleave", (event) => {
    if (holdsFiles(event)) show((value) => value - 1);
  });
  addEventListener("dragover", (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    show(() => 0);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...event.dataTransfer.files];
    take(entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(filesIn))).flat() : files);
  });
}

/** Return all files of a dropped folder, those of folders in it included. */
async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return (await Promise.all(found.map(filesIn))).flat();
    found.push(...some);
  }
}

/** Take pictures in: check each, show what can be shown, and say what is wrong with the others beside the field. */
export async function takeFiles(files, { items, words, limits, problemMark }) {
  showProblem(problemMark, files.length ? null : new Problem("file-none"), words);
  let first = true;
  for (const file of files) {
    const item = items.add(file);
    if (first) items.select(item);
    first = false;
    try {
      items.change(item, await checkFile(file, limits, words));
      await showFile(item, items);
      items.change(item, { state: "ready" });
    } catch (error) {
      items.change(item, { state: "refused", problem: asProblem(error) });
      if (files.length === 1 && items.all.length === 1) {
        items.remove(item);
        showProblem(problemMark, item.problem, words, item.name);
      }
    }
    if (!items.all.includes(item)) release(item);
  }
}

/** Let the browser show a file, if it can: its upright size counts then. */
async function showFile(item, items) {
  const address = URL.createObjectURL(item.file);
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
    items.change(item, {
      address,
      width: image.naturalWidth,
      height: image.naturalHeight,
      small: await drawSmall(image),
    });
  } catch {
    URL.revokeObjectURL(address); // TIFF in most browsers, or damaged: the server will tell
  }
}
