// kakudai inside the browser: the same networks, tiles and rounding as the command line's. Nothing leaves the machine.
//
//   upscale(picture, options, {progress(share), signal}) -> Promise<{pixels, model, strength, reason, notes}>
//     picture, pixels: ImageData, sRGB, straight alpha
//     options, in the command line's words:
//       scale | width, height | fit, model, denoise
//       bytes: the picture's file (Blob, ArrayBuffer or Uint8Array), by whose header damage is judged
//       region: [x, y, width, height] in pixels of the picture; only that part is enlarged, by the choice for the whole
//       device: "auto", "cpu" or "gpu"; auto is the graphics card if there is one that WebGPU knows
//     Rejects with {title, detail, hint} in words, or with an AbortError.
//   readPixels(file) -> Promise<ImageData>, writePixels(pixels, type, quality) -> Promise<Blob>: see pixels.js
//   available() -> Promise<{ok, threads, webgpu, models}>, which loads no network; ok is false where this cannot be
//     done

import { Problem } from "./problem.js";

export { readPixels, writePixels } from "./pixels.js";

const CATALOGUE = new URL("../models.json", import.meta.url);
const WORKER = new URL("worker.js", import.meta.url);
const MOST_THREADS = 8;
const HEADER_BYTES = 1 << 24;
const IDLE_MILLISECONDS = 60_000; // After this the worker and its memory are let go.

// A function of one SIMD instruction: where this is no module, onnxruntime-web cannot run.
// prettier-ignore
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

let catalogue = null;
let worker = null;
let idle = null;
let last = Promise.resolve();

function readCatalogue() {
  catalogue ??= fetch(CATALOGUE).then((answer) => (answer.ok ? answer.json() : null));
  catalogue.catch(() => (catalogue = null));
  return catalogue;
}

function threadsHere() {
  const isolated = self.crossOriginIsolated && typeof SharedArrayBuffer !== "undefined";
  return isolated ? Math.max(1, Math.min(MOST_THREADS, navigator.hardwareConcurrency ?? 1)) : 1;
}

// Find a graphics card that onnxruntime-web can use; one that only pretends to be one is slower than the processor.
async function hasGpu(device) {
  if (device === "cpu" || typeof WebAssembly.Suspending === "undefined" || !navigator.gpu) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  const pretends = adapter?.info?.isFallbackAdapter || adapter?.info?.architecture === "swiftshader";
  return adapter !== null && (device === "gpu" || !pretends);
}

export async function available() {
  const capable = typeof Worker !== "undefined" && typeof WebAssembly !== "undefined" && WebAssembly.validate(SIMD);
  const known = capable && self.isSecureContext ? await readCatalogue().catch(() => null) : null;
  const models = known?.runtime ? known.models : [];
  return { ok: models.length > 0, threads: threadsHere(), webgpu: await hasGpu("auto"), models };
}

// One picture at a time: two would only take memory and processors from each other.
export function upscale(picture, options = {}, { progress = () => {}, signal } = {}) {
  const turn = last.then(() => upscaleNow(picture, options, progress, signal));
  last = turn.catch(() => {});
  return signal ? Promise.race([turn, aborted(signal)]) : turn;
}

function aborted(signal) {
  return new Promise((_, reject) => {
    const stop = () => reject(abortError());
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function abortError() {
  return new DOMException("The picture was cancelled.", "AbortError");
}

async function upscaleNow(picture, options, progress, signal) {
  if (signal?.aborted) throw abortError();
  const { bytes = null, device = "auto", ...words } = options;
  const known = await readCatalogue().catch(() => null);
  if (!known?.runtime) {
    const detail = "the networks or the program that runs them are not here";
    throw new Problem("Not in this browser", detail, "load the page again, or use the server");
  }
  const header = await headerOf(bytes);
  const gpu = await hasGpu(device);
  if (signal?.aborted) throw abortError();
  const { width, height, data } = picture;
  const message = {
    picture: { width, height, data },
    options: { ...words, bytes: header },
    catalogue: known,
    device: gpu ? "gpu" : "cpu",
    threads: threadsHere(),
  };
  const { data: pixels, width: across, height: down, ...said } = await ask(message, progress, signal);
  return { pixels: new ImageData(pixels, across, down), ...said };
}

async function headerOf(bytes) {
  if (bytes === null || bytes === undefined) return null;
  if (bytes instanceof Blob) return new Uint8Array(await bytes.slice(0, HEADER_BYTES).arrayBuffer());
  return new Uint8Array(bytes).slice(0, HEADER_BYTES);
}

function endWorker() {
  worker?.terminate();
  worker = null;
}

// Give the worker a picture and wait for its result. Whatever goes wrong, the next picture gets a new worker.
function ask(message, progress, signal) {
  clearTimeout(idle);
  worker ??= new Worker(WORKER, { type: "module", name: "kakudai" });
  return new Promise((resolve, reject) => {
    const finish = (settle, value, keep = false) => {
      signal?.removeEventListener("abort", cancel);
      if (worker) worker.onmessage = worker.onerror = worker.onmessageerror = null;
      if (keep) idle = setTimeout(endWorker, IDLE_MILLISECONDS);
      else endWorker();
      settle(value);
    };
    const cancel = () => finish(reject, abortError());
    const broken = ({ message: detail = "its worker cannot be started" }) =>
      finish(reject, new Problem("It failed in the browser", detail, "load the page again, or use the server"));
    signal?.addEventListener("abort", cancel, { once: true });
    worker.onerror = broken;
    worker.onmessageerror = broken;
    worker.onmessage = ({ data: { kind, share, result, problem } }) => {
      if (kind === "progress") progress(share);
      else if (kind === "done") finish(resolve, result, true);
      else finish(reject, new Problem(problem.title, problem.detail, problem.hint));
    };
    worker.postMessage(message);
  });
}
