// Enlarging in this browser: pixels of a file to the engine, and its pixels to a file.

import { Problem } from "./problems.js";
import { resultSize } from "./settings.js";
import { requireShown } from "./work.js";

const BORDER = 32; // input pixels that the network sees around a region
const TYPES = { png: "image/png", jpeg: "image/jpeg", webp: "image/webp" };

let engine = null;

/** Return the engine's module, loaded when first asked for; null where this page has none. */
export async function loadEngine() {
  engine ??= await import(new URL("browser/engine.js", import.meta.url)).catch(() => null);
  return engine;
}

/** Return what the engine can do here; {ok: false} where it cannot. */
export async function engineState() {
  const module = await loadEngine();
  return module ? module.available().catch(() => ({ ok: false })) : { ok: false };
}

/**
 * Enlarge an item, or a region [x, y, width, height] of it, in this browser.
 *
 * Rejects with a Problem or the engine's own, both in words, or with an AbortError.
 */
export async function upscaleHere(item, options, { progress, signal }, region = null) {
  requireShown(item);
  const module = await loadEngine();
  if (!module) throw new Problem("no-engine");
  const started = performance.now();
  const whole = await module.readPixels(item.file);
  progress(0);
  const { scale, width, height, fit, model } = options;
  const denoise = options.denoise === "auto" ? "auto" : Number(options.denoise);
  const enlarge = (picture, size) =>
    module.upscale(picture, { ...size, model, denoise, bytes: item.file }, { progress, signal });
  const size = scale
    ? { scale: Number(scale) }
    : fit
      ? { fit: fit.split("x").map(Number) }
      : width
        ? { width: Number(width) }
        : { height: Number(height) };
  const result = region ? await enlargePart(whole, region, item, options, enlarge) : await enlarge(whole, size);
  const type = TYPES[options.format ?? item.format] ?? TYPES.png;
  const blob = await module.writePixels(result.pixels, type, Number(options.quality ?? 90)).catch(() => {
    throw new Problem("not-encoded");
  });
  const seconds = (performance.now() - started) / 1000;
  const { pixels, model: network, strength, reason } = result;
  return {
    blob,
    name: nameOf(item, options, blob.type),
    width: pixels.width,
    height: pixels.height,
    model: network,
    strength,
    reason,
    notes: [],
    seconds,
  };
}

/** Enlarge a region with what the network sees around it. */
async function enlargePart(whole, [x, y, width, height], item, options, enlarge) {
  const [left, top] = [Math.max(0, x - BORDER), Math.max(0, y - BORDER)];
  const [right, bottom] = [Math.min(whole.width, x + width + BORDER), Math.min(whole.height, y + height + BORDER)];
  const scale = resultSize([item.width, item.height], options)[0] / item.width;
  const result = await enlarge(cut(whole, [left, top, right - left, bottom - top]), { scale });
  return {
    ...result,
    pixels: cut(
      result.pixels,
      [x - left, y - top, width, height].map((side) => Math.round(side * scale)),
    ),
  };
}

function cut({ data, width }, [x, y, w, h]) {
  const part = new ImageData(w, h);
  for (let row = 0; row < h; row += 1) {
    const start = 4 * ((y + row) * width + x);
    part.data.set(data.subarray(start, start + 4 * w), 4 * row * w);
  }
  return part;
}

/** Name a result as the command line does: NAME_2x.png, or NAME_clean.png for what keeps its size. */
function nameOf(item, options, type) {
  const scale = Number(options.scale);
  const size =
    options.fit ?? (options.width ? `${options.width}w` : options.height ? `${options.height}h` : `${scale}x`);
  const ending = { "image/jpeg": "jpg", "image/webp": "webp" }[type] ?? "png";
  return `${item.name.replace(/\.[^.]*$/, "")}_${scale === 1 ? "clean" : size}.${ending}`;
}
