// The row of all pictures: small, with what has become of each.

import { isBusy } from "./items.js";

const SIDE = 128; // pixels of the small pictures' longer side

/** Return a small copy of a picture, to be shown many times cheaply; null where the browser cannot read it. */
export async function drawSmall(image) {
  const factor = Math.min(1, SIDE / Math.max(image.naturalWidth, image.naturalHeight));
  const [width, height] = [image.naturalWidth, image.naturalHeight].map((side) =>
    Math.max(1, Math.round(side * factor)),
  );
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve);
  });
  return blob && URL.createObjectURL(blob);
}

/** Return a function that draws the row of items into a list element. */
export function createStrip(list, { items, words, remove }) {
  const rows = new Map();

  function create(item) {
    const row = document.querySelector("#strip-row").content.firstElementChild.cloneNode(true);
    row.querySelector(".pick").addEventListener("click", () => items.select(item));
    row.querySelector(".remove").addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      remove(item);
      next?.querySelector(".pick")?.focus();
    });
    list.append(row);
    rows.set(item, row);
    return row;
  }

  function draw(item) {
    const row = rows.get(item) ?? create(item);
    const state = stateWords(item, words);
    const image = row.querySelector("img");
    if (item.small && image.getAttribute("src") !== item.small) image.src = item.small;
    image.hidden = !item.small;
    row.dataset.state = item.state;
    row.classList.toggle("busy", isBusy(item));
    row.style.setProperty("--share", isBusy(item) ? item.share : 0);
    row.querySelector(".name").textContent = item.name;
    row.querySelector(".state").textContent = state;
    row.title = `${item.name} · ${state}`;
    row.querySelector(".pick").setAttribute("aria-current", String(item === items.selected));
    row.querySelector(".remove").setAttribute("aria-label", words.say("strip.remove", { name: item.name }));
  }

  return () => {
    for (const [item, row] of rows) {
      if (items.all.includes(item)) continue;
      row.remove();
      rows.delete(item);
    }
    for (const item of items.all) draw(item);
  };
}

/** Say in a few words how an item is getting on. */
export function stateWords(item, words) {
  const percent = words.number(Math.floor(item.share * 100));
  if (item.retrying) return words.say("state.full");
  if (item.previewing && item.state === "running") return words.say("state.previewing", { percent });
  if (item.state === "uploading") return words.say("state.uploading", { percent });
  if (item.state === "waiting")
    return item.place ? words.say("state.place", { place: words.number(item.place) }) : words.say("state.waiting");
  if (item.state === "running") return words.say("state.running", { percent });
  return words.say(
    {
      checking: "state.checking",
      refused: "state.refused",
      ready: "state.ready",
      done: "state.done",
      failed: "state.failed",
      cancelled: "state.cancelled",
    }[item.state],
  );
}
