// The stage: a picture before and after over each other, cut by a slider, or their difference.

import { isBusy } from "./items.js";
import { stateWords } from "./strip.js";
import { createViewport, watchGestures } from "./viewport.js";

const HANDLE = 48; // width of the slider's handle in CSS pixels, as style.css has it

/** Return the stage in `root`; `show(item)` puts an item on it. */
export function createCompare(root, words) {
  const find = (name) => root.querySelector(`.${name}`);
  const [canvas, slider, line, zoom] = [find("canvas"), find("split"), find("line"), find("zoom")];
  const worlds = [...root.querySelectorAll(".world")];
  const [before, after] = worlds.map((world) => world.querySelector("img"));
  let shown = null;
  let moving = 0;

  const viewport = createViewport(canvas, place);
  watchGestures(canvas, viewport, (x) => {
    const { left, right } = viewport.span();
    if (root.dataset.sides === "two") setSplit((100 * (x - left)) / (right - left));
  });
  slider.addEventListener("input", () => {
    cancelAnimationFrame(moving);
    place();
  });
  for (const button of root.querySelectorAll("[data-zoom]")) {
    const actions = {
      in: () => viewport.step(1),
      out: () => viewport.step(-1),
      fit: viewport.fit,
      exact: viewport.exact,
    };
    button.addEventListener("click", actions[button.dataset.zoom]);
  }
  for (const button of root.querySelectorAll("[data-mode]")) {
    button.addEventListener("click", () => {
      root.dataset.view = button.dataset.mode;
      place();
    });
  }

  function place() {
    const { zoom: factor, x, y, width, height } = viewport.state;
    for (const world of worlds) {
      world.style.width = `${width}px`;
      world.style.height = `${height}px`;
      world.style.transform = `translate(${x}px, ${y}px) scale(${factor})`;
    }
    root.classList.toggle("pixels", !viewport.state.fitted && viewport.percent() >= 400);
    root.classList.toggle("movable", viewport.movable());
    const { left, right } = viewport.span();
    const cut = left + ((right - left) * slider.valueAsNumber) / 100;
    root.style.setProperty("--cut", `${cut}px`);
    root.style.setProperty("--top", `${Math.max(0, y)}px`);
    root.style.setProperty("--tall", `${Math.min(y + height * factor, canvas.clientHeight) - Math.max(0, y)}px`);
    slider.style.left = `${left - HANDLE / 2}px`;
    slider.style.width = `${right - left + HANDLE}px`;
    slider.setAttribute("aria-valuetext", words.say("compare.value", { share: Math.round(slider.valueAsNumber) }));
    zoom.textContent = `${words.number(viewport.percent())} %`;
    for (const button of root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === (root.dataset.view ?? "split")));
    }
  }

  function setSplit(value) {
    slider.value = String(Math.min(100, Math.max(0, value)));
    place();
  }

  /** Move the slider from the right to the middle, to show that it moves, and what has become of the picture. */
  function reveal() {
    cancelAnimationFrame(moving);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return setSplit(50);
    const start = performance.now();
    const frame = (now) => {
      const share = Math.min(1, (now - start) / 900);
      setSplit(100 - 50 * (1 - (1 - share) ** 3));
      if (share < 1) moving = requestAnimationFrame(frame);
    };
    moving = requestAnimationFrame(frame);
    return undefined;
  }

  /** Show the sides of an item; what has not changed stays as it is. */
  function show(item) {
    const sides = sidesOf(item);
    root.dataset.sides = sides.after ? "two" : "one";
    const key = JSON.stringify([sides, item.id]);
    const first = !shown || shown.id !== item.id || shown.after !== sides.after;
    if (shown?.key !== key) {
      setPicture(before, sides.before, words.say("compare.before-picture", { name: item.name }));
      setPicture(after, sides.after, words.say("compare.after-picture", { name: item.name }));
      placeRegion(after, sides.part);
      if (shown?.id !== item.id || shown.part) viewport.state.fitted = true;
      shown = { id: item.id, key, after: sides.after, part: Boolean(sides.part) };
      viewport.show(sides.width, sides.height);
      if (sides.part) viewport.exact();
      else if (viewport.state.fitted) viewport.fit();
      if (sides.after && first) reveal();
    }
    root.classList.toggle("part", Boolean(sides.part));
    find("before-label").textContent = words.say("compare.before", { size: words.size([item.width, item.height]) });
    root.classList.toggle("busy", isBusy(item));
    const part = sides.part && words.say("compare.part");
    const size = words.say("compare.after", { size: words.size([sides.width, sides.height]) });
    find("after-label").textContent = isBusy(item) ? stateWords(item, words) : part || size;
    place();
  }

  line.hidden = false;
  return { show, viewport, setSplit };
}

/** Return what is to be seen of an item: addresses, the size they fill, and which part `after` covers, in shares. */
export function sidesOf(item) {
  const { result, preview } = item;
  if (preview) {
    const [x, y, w, h] = preview.region;
    const part = [x / item.width, y / item.height, w / item.width, h / item.height];
    return { before: item.address, after: preview.address, width: preview.width, height: preview.height, part };
  }
  if (result)
    return { before: item.address, after: result.address, width: result.width, height: result.height, part: null };
  return { before: item.address, after: "", width: item.width, height: item.height, part: null };
}

function setPicture(image, address, alt) {
  image.hidden = !address;
  if (address) Object.assign(image, { src: address, alt });
  else image.removeAttribute("src");
}

function placeRegion(image, part) {
  const [x, y, w, h] = (part ?? [0, 0, 1, 1]).map((share) => `${share * 100}%`);
  Object.assign(image.style, { left: x, top: y, width: w, height: h });
}
