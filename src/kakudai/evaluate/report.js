"use strict";
// Without this script the page shows all pictures side by side. With it, each group becomes a viewer: a divider between
// two versions of a picture, or a slider over the epochs of a run.

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function labelled(text, control, wide) {
  return make("label", wide ? { class: "wide" } : {}, text, control);
}

function layersOf(group) {
  return [...group.querySelectorAll("figure")].map((figure) => ({
    image: figure.querySelector("img"),
    name: figure.dataset.name,
    caption: figure.querySelector("figcaption").textContent,
    psnr: Number(figure.dataset.psnr),
  }));
}

// A frame whose picture fits the page, or shows each pixel as a square of whole pixels and is scrolled.
function makeFrame(width, update) {
  const stage = make("div", { class: "stage" });
  const frame = make("div", { class: "frame" }, stage);
  const zoom = make("select", {}, make("option", { value: "0" }, "fit to page"));
  for (const factor of [1, 2, 3, 4]) zoom.append(make("option", { value: factor }, factor * 100 + " %"));
  const apply = () => {
    const factor = Number(zoom.value);
    stage.style.width = factor ? width * factor + "px" : "100%";
    stage.classList.toggle("sharp", factor > 0);
    const scrolls = stage.offsetWidth > frame.clientWidth + 1;
    frame.classList.toggle("flat", !scrolls);
    if (scrolls) frame.setAttribute("tabindex", "0");
    else frame.removeAttribute("tabindex");
    update();
  };
  const choose = (available) => {
    const fitting = Math.min(4, Math.floor(available / width));
    zoom.value = String(fitting);
    apply();
  };
  frame.setAttribute("role", "group");
  zoom.addEventListener("change", apply);
  return { stage, frame, zoom, apply, choose };
}

function option(layer, index) {
  return make("option", { value: index }, layer.caption);
}

function makeComparison(group) {
  const layers = layersOf(group);
  const range = make("input", { type: "range", min: "0", max: "100", value: "50", step: "1" });
  const left = make("select", {}, ...layers.map(option));
  const right = make("select", {}, ...layers.map(option));
  const told = make("output", {});
  const divider = make("div", { class: "divider" });
  const signs = [make("span", { class: "sign" }), make("span", { class: "sign right" })];
  const bounds = () => ({ width: Math.min(view.frame.clientWidth, view.stage.offsetWidth), from: view.frame.scrollLeft });
  const cut = () => {
    const { width, from } = bounds();
    view.stage.style.setProperty("--cut", from + (width * range.value) / 100 + "px");
    const names = [layers[left.value].name, layers[right.value].name];
    range.setAttribute("aria-valuetext", range.value + " % " + names[0] + ", the rest " + names[1]);
  };
  const view = makeFrame(layers[0].image.width, cut);
  const show = () => {
    const copies = [left, right].map((choice) => layers[choice.value].image.cloneNode());
    view.stage.replaceChildren(...copies, divider);
    const shown = [layers[left.value], layers[right.value]];
    signs.forEach((sign, side) => { sign.textContent = shown[side].name; });
    const gain = shown[1].psnr - shown[0].psnr;
    const known = shown[0].psnr && shown[1].psnr && left.value !== right.value;
    told.textContent = known
      ? `${shown[1].name} has ${Math.abs(gain).toFixed(2)} dB ${gain < 0 ? "less" : "more"} than ${shown[0].name}.`
      : "";
    cut();
  };
  const follow = (event) => {
    const { width, from } = bounds();
    const place = event.clientX - view.stage.getBoundingClientRect().left - from;
    range.value = String(Math.round((100 * place) / width));
    cut();
  };
  left.value = String(Math.min(1, layers.length - 1));
  right.value = String(layers.length > 2 ? 2 : 0);
  view.stage.classList.add("divided");
  view.frame.setAttribute("aria-label", group.dataset.title);
  view.frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (event.pointerType !== "mouse" && !view.frame.classList.contains("flat"))) return;
    if (event.clientY - view.frame.getBoundingClientRect().top > view.frame.clientHeight) return; // the scroll bar
    event.preventDefault();
    view.stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  view.stage.addEventListener("pointermove", (event) => {
    if (view.stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  view.frame.addEventListener("scroll", cut);
  range.addEventListener("input", cut);
  for (const choice of [left, right]) choice.addEventListener("change", show);
  const controls = make("div", { class: "controls" },
    labelled("left", left), labelled("right", right), labelled("size", view.zoom), labelled("divider", range, true));
  show();
  return { view, parts: [make("div", { class: "picture" }, view.frame, ...signs), controls, told] };
}

function makeSlides(group) {
  const layers = layersOf(group);
  const range = make("input", { type: "range", min: "0", max: String(layers.length - 1), value: "0", step: "1" });
  const told = make("output", {});
  const view = makeFrame(layers[0].image.width, () => {});
  const show = () => {
    for (const [index, layer] of layers.entries()) layer.image.hidden = index !== Number(range.value);
    told.textContent = layers[range.value].caption;
    range.setAttribute("aria-valuetext", layers[range.value].caption);
  };
  view.stage.append(...layers.map((layer) => layer.image));
  view.frame.setAttribute("aria-label", group.dataset.title);
  range.addEventListener("input", show);
  range.value = String(Math.max(0, layers.findLastIndex((layer) => layer.name.startsWith("epoch"))));
  show();
  const controls = make("div", { class: "controls" }, labelled("epoch", range, true), labelled("size", view.zoom));
  return { view, parts: [view.frame, controls, told] };
}

for (const group of document.querySelectorAll("[data-viewer]")) {
  const { view, parts } = group.dataset.viewer === "slides" ? makeSlides(group) : makeComparison(group);
  const viewer = make("div", { class: "viewer" }, ...parts);
  group.replaceWith(viewer);
  view.choose(viewer.clientWidth);
  addEventListener("resize", view.apply);
}
