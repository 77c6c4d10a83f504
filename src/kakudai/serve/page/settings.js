// The form of settings: what it says as options of the API, what it remembers, and which fields make sense together.

import { keep, recall } from "./memory.js";

const LOSSY = ["jpeg", "webp", "avif"];
const HERE_FORMATS = ["png", "jpeg", "webp"];

/** Return the form's fields by id, with functions that read and set them. */
export function createSettings(form, changed) {
  const field = (id) => form.querySelector(`#${id}`);
  const checked = (name) => form.querySelector(`input[name="${name}"]:checked`);
  let here = false;

  const settings = {
    /** Return the options as the API takes them; only what differs from its defaults. */
    options() {
      const options = settings.bySize() ? sizeOptions(field) : { scale: String(number(field("scale"), 2)) };
      options.model = field("network").value || checked("model").value;
      options.denoise = field("denoise-auto").checked ? "auto" : String(number(field("strength"), 0));
      if (field("format").value) options.format = field("format").value;
      if (settings.lossy() && field("quality").value) options.quality = String(number(field("quality"), 90));
      if (field("tta").value !== "1" && !here) options.tta = field("tta").value;
      if (field("strip-metadata").checked) options.strip = "true";
      return options;
    },
    bySize: () => checked("sizing").value === "size",
    lossy: () => LOSSY.includes(field("format").value) || field("format").value === "",
    here: () => here,
    /** Say where the work is done, and which formats a server writes. */
    setHere(value, formats) {
      here = value;
      for (const option of field("format").options)
        option.disabled = option.value !== "" && !(value ? HERE_FORMATS : formats).includes(option.value);
      if (field("format").selectedOptions[0]?.disabled) field("format").value = "";
      changed();
    },
    /** Return [width, height] of the result for a picture of a size; [0, 0] where the fields say nothing. */
    resultSize: ([width, height]) => resultSize([width, height], settings.options()),
    /** Return a text that differs where the result would. */
    signature: () => JSON.stringify([settings.options(), here]),
    save: () => keep("settings", snapshot(form)),
    restore() {
      const saved = recall("settings", {});
      for (const element of remembered(form)) restoreField(element, saved[element.name || element.id]);
    },
  };

  form.addEventListener("input", ({ target }) => {
    if (target.name === "model") field("network").value = "";
    settings.save();
    changed();
  });
  form.addEventListener("change", ({ target }) => {
    if (target.type !== "number" || (target.value === "" && target !== field("scale"))) return;
    target.value = String(number(target, 2)); // what is out of range is not taken silently
    settings.save();
    changed();
  });
  for (const button of form.querySelectorAll("[data-scale]")) {
    button.addEventListener("click", () => {
      field("scale").value = button.dataset.scale;
      settings.save();
      changed();
    });
  }
  return settings;
}

function number(element, fallback) {
  const value = Number.parseFloat(element.value);
  return Number.isFinite(value) ? Math.min(Math.max(value, Number(element.min)), Number(element.max)) : fallback;
}

function sizeOptions(field) {
  const [width, height] = [field("width").value, field("height").value].map((text) => Math.round(Number(text)));
  if (width > 0 && height > 0) return { fit: `${width}x${height}` };
  if (width > 0) return { width: String(width) };
  return height > 0 ? { height: String(height) } : { scale: "2" };
}

/** Return [width, height] of what options make of a picture, as `kakudai upscale` counts. */
export function resultSize([width, height], options) {
  if (!width) return [0, 0];
  let scale = Number(options.scale ?? 0);
  if (options.width) scale = Number(options.width) / width;
  if (options.height) scale = Number(options.height) / height;
  if (options.fit) {
    const [w, h] = options.fit.split("x").map(Number);
    scale = Math.min(w / width, h / height);
  }
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

const remembered = (form) => [...form.querySelectorAll("[data-remember]")];

function snapshot(form) {
  const saved = {};
  for (const element of remembered(form)) {
    if (element.type === "radio" && !element.checked) continue;
    saved[element.name || element.id] = element.type === "checkbox" ? element.checked : element.value;
  }
  return saved;
}

function restoreField(element, value) {
  if (value === undefined) return;
  if (element.type === "radio") element.checked = element.value === value;
  else if (element.type === "checkbox") element.checked = value === true;
  else if (element.tagName !== "SELECT" || [...element.options].some((option) => option.value === value))
    element.value = value;
}
