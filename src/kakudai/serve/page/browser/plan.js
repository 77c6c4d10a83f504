// From a wish to what is done: which networks, how many passes, and the size of the result. The rules of
// kakudai/engine/plan.py and kakudai/engine/tools.py.

import { Problem } from "./problem.js";

const MIN_SCALE = 0.1;
const MAX_SCALE = 16;
const KNOWN = new Set(["scale", "width", "height", "fit", "model", "denoise", "tta", "bytes", "region"]);

// Check what was asked for, and write it in one way: numbers are numbers, denoise is "auto" or 0 .. 100.
export function readOptions(options) {
  const unknown = Object.keys(options).find((name) => !KNOWN.has(name));
  if (unknown)
    throw new Problem("Not an option", `${unknown} is no option here`, `accepted are ${[...KNOWN].join(", ")}`);
  const number = (name) => (options[name] == null || options[name] === "" ? null : Number(options[name]));
  const wish = { scale: number("scale"), width: number("width"), height: number("height"), fit: readFit(options.fit) };
  if (wish.scale !== null && !(wish.scale >= MIN_SCALE && wish.scale <= MAX_SCALE)) {
    throw new Problem(
      "Scale out of range",
      `the scale is ${options.scale}`,
      `accepted are ${MIN_SCALE} to ${MAX_SCALE}`,
    );
  }
  for (const value of [wish.width, wish.height, ...(wish.fit ?? [])]) {
    if (value !== null && !(Number.isInteger(value) && value >= 1)) {
      throw new Problem(
        "Size out of range",
        `a side of ${value} pixels`,
        "accepted are whole numbers of pixels from 1",
      );
    }
  }
  const sizes = [wish.scale !== null, wish.width !== null || wish.height !== null, wish.fit !== null];
  if (sizes.filter(Boolean).length > 1) {
    throw new Problem("Two sizes", "scale, width/height and fit exclude each other", "give one of them");
  }
  if (options.tta != null && Number(options.tta) !== 1) {
    throw new Problem(
      "Not in the browser",
      `tta is ${options.tta}`,
      "leave it at 1, or use the server or the command line",
    );
  }
  const denoise = options.denoise == null || options.denoise === "auto" ? "auto" : Number(options.denoise);
  if (denoise !== "auto" && !(Number.isInteger(denoise) && denoise >= 0 && denoise <= 100)) {
    const hint = "accepted are auto, and whole numbers from 0 for none to 100 for the most";
    throw new Problem("Strength out of range", `denoise is ${options.denoise}`, hint);
  }
  return { ...wish, model: options.model || "auto", denoise };
}

function readFit(fit) {
  if (fit == null || fit === "") return null;
  return typeof fit === "string" ? fit.split("x").map(Number) : [...fit];
}

function round(value) {
  return Math.max(1, Math.floor(value + 0.5));
}

// Return {width, height} of the result.
export function sizeOf(wish, width, height) {
  let scale = wish.scale ?? 2;
  if (wish.fit) scale = Math.min(wish.fit[0] / width, wish.fit[1] / height);
  else if (wish.width !== null) scale = wish.width / width;
  else if (wish.height !== null) scale = wish.height / height;
  const size = { width: wish.width ?? round(scale * width), height: wish.height ?? round(scale * height) };
  const ratio = Math.max(size.width / width, size.height / height);
  if (ratio > MAX_SCALE) {
    const detail = `${width}x${height} to ${size.width}x${size.height} is ${Number(ratio.toPrecision(3))} times larger`;
    throw new Problem("Scale out of range", detail, `accepted are up to ${MAX_SCALE} times`);
  }
  return size;
}

// Return the networks of a picture: {enlarging, denoising, combined, strength, notes}, each of the first three {model,
// strength} or null; the notes are what the user should know, one sentence each.
//   choice: {style, strength}, see choice.js
export function toolsFor(family, wish, choice, ratio) {
  if (family.isWord(wish.model)) return shippedTools(family, wish, choice, ratio);
  const model = family.models.get(wish.model);
  if (!model) {
    const known = [...family.words, ...family.models.keys()].join(", ");
    throw new Problem("Unknown model", `no network here is called ${wish.model}`, `there are ${known}`);
  }
  return ownTools(model, wish, choice.strength);
}

function shippedTools(family, wish, { style, strength }, ratio) {
  if (!family.styles(wish.model).length) {
    throw new Problem("Unknown model", `no network for ${wish.model} is shipped`, "choose another model");
  }
  if (strength && wish.denoise !== "auto" && !family.restores(style)) {
    throw new Problem(
      "Nothing removes noise",
      `no shipped network removes noise from ${style}`,
      "leave denoise at auto or 0",
    );
  }
  const picked = family.pick(wish.model, style, ratio, strength > 0);
  const tool = (name, told = null) => (name ? { model: family.models.get(name), strength: told } : null);
  return {
    enlarging: tool(picked.enlarging),
    denoising: tool(picked.denoising, strength / 100),
    combined: tool(picked.combined, strength / 100),
    strength,
    notes: picked.notes,
  };
}

function ownTools(model, wish, strength) {
  const none = { enlarging: null, denoising: null, combined: null, strength, notes: [] };
  if (model.scale === 1 && wish.denoise === 0) {
    const detail = `${model.name} does nothing but restore, and denoise is 0`;
    throw new Problem("Nothing to do", detail, "choose a strength, or another model");
  }
  if (model.strength === "plane") {
    const told = { model, strength: strength / 100 };
    if (model.scale === 1) return { ...none, denoising: told };
    return { ...none, enlarging: { model, strength: 0 }, combined: strength ? told : null };
  }
  if (model.scale === 1) return { ...none, denoising: { model, strength: null } };
  if (strength) {
    const detail = `${model.name} enlarges and has no strength of denoising to choose`;
    throw new Problem("Nothing removes noise", detail, "leave denoise at auto or 0");
  }
  return { ...none, enlarging: { model, strength: null } };
}

function all(tools) {
  return [tools.enlarging, tools.combined, tools.denoising].filter(Boolean);
}

// Pixels around a pixel that any of the networks looks at.
export function reachOf(tools) {
  return Math.max(...all(tools).map((tool) => tool.model.halo));
}

// Decide how to reach a size: {steps, width, height, denoising}, the steps in order; where they do not end at the size,
// an exact resize follows. Noise is removed once: by the first pass where a network does both, else before it.
//   restore: false for alpha, which nobody removes noise from
export function makePlan(wish, width, height, tools, restore = true) {
  const size = sizeOf(wish, width, height);
  const scale = Math.max(...all(tools).map((tool) => tool.model.scale));
  const ratio = Math.max(size.width / width, size.height / height);
  const denoises = restore && tools.denoising !== null && tools.denoising.strength !== 0;
  let passes = 0;
  if (scale > 1 && ratio > 1) {
    passes = Math.max(1, Math.ceil(Math.log(ratio) / Math.log(scale) - 1e-9));
    const before = scale ** (passes - 1);
    if (width * before >= size.width && height * before >= size.height) passes -= 1;
  }
  if (restore && tools.combined && (passes || !denoises)) {
    const more = Math.max(1, tools.enlarging ? passes : 1) - 1;
    return { ...size, steps: [tools.combined, ...Array(more).fill(tools.enlarging)], denoising: true };
  }
  const steps = Array(tools.enlarging ? passes : 0).fill(tools.enlarging);
  return { ...size, steps: denoises ? [tools.denoising, ...steps] : steps, denoising: denoises };
}

// Say which networks a plan runs, with the strength that they are told.
export function labelOf(tools, plan) {
  const used = plan.steps.length ? plan.steps : all(tools).slice(0, 1);
  const names = [...new Set(used.map((tool) => tool.model.name))].join(" + ");
  return plan.denoising && tools.strength ? `${names}, strength ${tools.strength}` : names;
}
