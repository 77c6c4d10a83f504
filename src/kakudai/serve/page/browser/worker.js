// Works beside the page. One message is one picture. To cancel one, the page ends this worker.

import { openNetwork } from "./networks.js";
import { WrongResult } from "./passes.js";
import { Problem } from "./problem.js";
import { enlarge } from "./work.js";

self.addEventListener("message", async ({ data: { picture, options, catalogue, device, threads } }) => {
  const progress = (share) => self.postMessage({ kind: "progress", share });
  const enlargeOn = (where) => {
    const run = async (model, x, ...shape) => (await openNetwork(model, where, threads))(x, ...shape);
    return enlarge(picture, options, catalogue, { run, progress });
  };
  try {
    const result = await enlargeOn(device).catch((error) => {
      if (device === "cpu" || !(error instanceof WrongResult)) throw error;
      return enlargeOn("cpu"); // Drivers of graphics cards have more faults than compilers.
    });
    self.postMessage({ kind: "done", result }, [result.data.buffer]);
  } catch (error) {
    self.postMessage({ kind: "failed", problem: inWords(error) });
  }
});

function inWords(error) {
  if (error instanceof Problem) return { title: error.title, detail: error.detail, hint: error.hint };
  const detail = String(error?.message ?? error)
    .split("\n", 1)[0]
    .slice(0, 300);
  if (error instanceof WrongResult) {
    return { title: "Wrong result", detail, hint: "nothing was given out; try another model, or the server" };
  }
  if (error instanceof RangeError || /alloc|memory|OOM/i.test(detail)) {
    return { title: "Out of memory", detail, hint: "close other pages, or choose a smaller scale" };
  }
  return {
    title: "It failed in the browser",
    detail,
    hint: "load the page again, or use the server or the command line",
  };
}
