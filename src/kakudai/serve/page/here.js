// Enlarging in this browser: pixels of a file to the engine, and its pixels to a file.

import { Problem } from "./problems.js";

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
  if (!item.address) throw new Problem("not-shown");
  const module = await loadEngine();
  if (!module) throw new Problem("no-engine");
  const started = performance.now();
  const whole = await module.readPixels(item.file);
  progress(0);
  const { scale, width, height, fit, model, denoise } = options;
  const wish = { scale, width, height, fit, model, denoise, region, bytes: item.file };
  const { pixels, ...said } = await module.upscale(whole, wish, { progress, signal });
  const type = TYPES[options.format ?? item.format] ?? TYPES.png;
  const blob = await module.writePixels(pixels, type, Number(options.quality ?? 90)).catch(() => {
    throw new Problem("not-encoded");
  });
  signal.throwIfAborted();
  const seconds = (performance.now() - started) / 1000;
  const name = nameOf(item, options, blob.type);
  return { ...said, blob, name, width: pixels.width, height: pixels.height, seconds };
}

/** Name a result as the command line does: NAME_2x.png, or NAME_clean.png for what keeps its size. */
function nameOf(item, options, type) {
  const scale = Number(options.scale);
  const size =
    options.fit ?? (options.width ? `${options.width}w` : options.height ? `${options.height}h` : `${scale}x`);
  const ending = { "image/jpeg": "jpg", "image/webp": "webp" }[type] ?? "png";
  return `${item.name.replace(/\.[^.]*$/, "")}_${scale === 1 ? "clean" : size}.${ending}`;
}
