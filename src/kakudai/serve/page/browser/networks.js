// Networks, ready to run: fetched, checked, and opened by onnxruntime-web, on the processor (WebAssembly, with threads
// where the page is isolated from others) or on the graphics card (WebGPU) where that gives the same.

import { Problem } from "./problem.js";

const RUNTIME = new URL("../onnxruntime/", import.meta.url);
const NETWORKS = new URL("../networks/", import.meta.url);
const PROGRAMS = {
  cpu: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"],
  gpu: ["ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi"],
};
const SAMPLE = 40; // Side of the picture by which the graphics card is compared with the processor.
const TOLERANCE = 1 / 1020; // A quarter of a level of 255.

const runtimes = new Map();
const opened = new Map();

// Return what runs a model: (x, channels, height, width) -> promise of the network's three planes.
//   device: "cpu"; or "gpu" for the graphics card, for which the processor stands in where it fails or gives something
//   else
export function openNetwork(model, device, threads) {
  const key = `${model.name} ${device}`;
  if (!opened.has(key))
    opened.set(key, device === "gpu" ? openEither(model, threads) : open(model, "cpu", "wasm", threads));
  return opened.get(key);
}

async function openEither(model, threads) {
  try {
    const gpu = await open(model, "gpu", "webgpu", threads);
    const cpu = await open(model, "gpu", "wasm", threads);
    if (await agree(model, gpu, cpu)) return withFallback(gpu, cpu);
    console.warn(`${model.name} gives something else on the graphics card: the processor is used`);
    return cpu;
  } catch (error) {
    console.warn(`the graphics card cannot be used: ${error.message}`);
    return open(model, "cpu", "wasm", threads);
  }
}

// Return what runs on the first, and for good on the second once the first has failed: a driver may be lost at any
// time.
function withFallback(first, second) {
  let chosen = first;
  return async (...given) => {
    try {
      return await chosen(...given);
    } catch (error) {
      if (chosen === second) throw error;
      console.warn(`the graphics card has failed: ${error.message}`);
      chosen = second;
      return chosen(...given);
    }
  };
}

// Say whether both give the same for a picture of noise, a quarter of a level apart at most.
async function agree(model, one, other) {
  const channels = model.strength === "plane" ? 4 : 3;
  const side = Math.ceil(SAMPLE / model.multiple) * model.multiple;
  const x = Float32Array.from({ length: channels * side * side }, (_, k) => (((k + 1) * 2654435761) % 4093) / 4093);
  const [a, b] = [await one(x, channels, side, side), await other(x, channels, side, side)];
  return a.length === b.length && a.every((value, k) => Math.abs(value - b[k]) <= TOLERANCE);
}

async function open(model, program, provider, threads) {
  const [ort, data] = await Promise.all([start(program, threads), fetched(model)]);
  // Threads that wait by turning in circles take the processor from the page, and from others.
  const extra = { session: { intra_op: { allow_spinning: "0" } } };
  const session = await ort.InferenceSession.create(data, {
    executionProviders: [provider],
    extra,
    logSeverityLevel: 3,
  });
  return async (x, channels, height, width) => {
    const given = new ort.Tensor("float32", x, [1, channels, height, width]);
    const results = await session.run({ [session.inputNames[0]]: given });
    const y = results[session.outputNames[0]];
    const { data: planes } = y;
    y.dispose();
    return planes;
  };
}

function start(program, threads) {
  const [module, file] = PROGRAMS[program];
  if (!runtimes.has(program)) {
    const loaded = import(new URL(module, RUNTIME).href).then((ort) => {
      ort.env.logLevel = "error";
      ort.env.wasm.numThreads = threads;
      const at = (ending) => new URL(file + ending, RUNTIME).href;
      ort.env.wasm.wasmPaths = { mjs: at(".mjs"), wasm: at(".wasm") };
      return ort;
    });
    runtimes.set(program, loaded);
  }
  return runtimes.get(program);
}

// Fetch a network, if its bytes are those that models.json tells of.
async function fetched(model) {
  const answer = await fetch(new URL(`${model.name}.onnx`, NETWORKS));
  if (!answer.ok) throw new Problem("Network missing", `${model.name} cannot be fetched`, "load the page again");
  const data = await answer.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found === model.sha256) return new Uint8Array(data);
  throw new Problem("Network damaged", `${model.name} is not the file it should be`, "load the page again");
}
