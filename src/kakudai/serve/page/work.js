// Work on pictures: sends them, follows them, fetches results; two at a time on the server, one at a time here.

import { pause } from "./api.js";
import { isBusy } from "./items.js";
import { asProblem, isAbort, problemFrom } from "./problems.js";
import { resultSize } from "./settings.js";

const PREVIEW_SIDE = 256;
const TRIES_WHEN_FULL = 60;

/** Return the middle of a picture as a region in its pixels; null where that is most of the picture. */
export function middle([width, height]) {
  const [w, h] = [Math.min(width, PREVIEW_SIDE), Math.min(height, PREVIEW_SIDE)];
  if (w * h * 3 > width * height) return null;
  return [Math.floor((width - w) / 2), Math.floor((height - h) / 2), w, h];
}

/**
 * Return what works on items.
 *
 * @param {object} parts items, api, settings, upscaleHere(item, options, watch) -> result, finished(item).
 */
export function createWork({ items, api, settings, upscaleHere, finished }) {
  const waiting = [];
  let active = 0;

  const next = () => {
    while (waiting.length && active < (settings.here() ? 1 : 2)) {
      active += 1;
      const item = waiting.shift();
      run(item).finally(() => {
        active -= 1;
        next();
      });
    }
  };

  async function run(item) {
    const { signal } = item.controller;
    const { options, here, signature } = item.wish;
    try {
      signal.throwIfAborted();
      const region = item === items.selected && !item.preview && middle([item.width, item.height]);
      if (region) await look(item, region).catch((error) => skipRegion(item, error));
      const result = here ? await upscaleHere(item, options, watch(item)) : await onServer(item, options);
      forget(item.preview);
      items.change(item, {
        state: "done",
        share: 1,
        preview: null,
        result: { ...result, options, signature, here, address: URL.createObjectURL(result.blob) },
      });
      finished(item);
    } catch (error) {
      if (isAbort(error)) items.change(item, { state: "cancelled" });
      else items.change(item, { state: "failed", problem: asProblem(error) });
      finished(item);
    } finally {
      items.change(item, { controller: null, previewing: false, retrying: 0 });
    }
  }

  const watch = (item) => ({
    signal: item.controller.signal,
    progress: (share) => items.change(item, { state: "running", share, secondsLeft: left(item, share) }),
  });

  /** Send an item and return its result, whose bytes are those that the server wrote. */
  async function onServer(item, options) {
    const { signal } = item.controller;
    const job = await submit(item, options);
    try {
      const state = await api.follow(job.address, { signal, heard: (heard) => items.change(item, fieldsOf(heard)) });
      if (state.state === "cancelled") throw new DOMException("cancelled", "AbortError");
      if (state.state === "failed") throw problemFrom(state.problem ?? { type: "internal" });
      const { blob, name } = await api.result(state.result, signal);
      const [width, height] = state.output_size;
      const { model, strength, reason, notes, seconds, expires } = state;
      return { blob, name, width, height, model, strength, reason, notes, seconds, expires, job: job.address };
    } catch (error) {
      api.remove(job.address);
      throw error;
    }
  }

  /** Send a picture; where the server is full, wait as long as it says and try again. */
  async function submit(item, options) {
    const { signal } = item.controller;
    for (let tries = 1; ; tries += 1) {
      items.change(item, { state: "uploading", share: 0, place: null, secondsLeft: null, retrying: 0 });
      try {
        return await api.submit(item.file, options, { signal, sent: (share) => items.change(item, { share }) });
      } catch (error) {
        if (![429, 503].includes(error.status) || tries === TRIES_WHEN_FULL) throw error;
        const seconds = Math.min(error.retryAfter || 5, 60);
        items.change(item, { state: "waiting", retrying: seconds });
        await pause(seconds, signal);
      }
    }
  }

  /** Do without a trial where the server sees another size than this browser; what else fails fails in the whole. */
  function skipRegion(item, error) {
    if (asProblem(error).type !== "not-possible") throw error;
    items.change(item, { previewing: false });
  }

  /** Enlarge a region first, so that something can be seen before the whole is done. */
  async function look(item, region) {
    const { options, here } = item.wish;
    items.change(item, { previewing: true });
    const result = here
      ? await upscaleHere(item, options, watch(item), region)
      : await onServer(item, { ...options, region: region.join(",") });
    if (result.job) api.remove(result.job);
    forget(item.preview);
    const [width, height] = resultSize([item.width, item.height], options);
    items.change(item, {
      previewing: false,
      started: performance.now(),
      preview: { signature: item.wish.signature, region, width, height, address: URL.createObjectURL(result.blob) },
    });
  }

  return {
    /** Begin work on items with the settings of now. */
    start(list) {
      for (const item of list) {
        const wish = { options: settings.options(), here: settings.here(), signature: settings.signature() };
        const kept = item.preview?.signature === wish.signature ? item.preview : null;
        if (!kept) forget(item.preview);
        items.change(item, {
          state: "waiting",
          share: 0,
          place: null,
          secondsLeft: null,
          problem: null,
          preview: kept,
          wish,
          started: performance.now(),
          controller: new AbortController(),
        });
        waiting.push(item);
      }
      next();
    },
    /** Enlarge the middle of an item only. */
    async preview(item) {
      const before = item.state;
      const wish = { options: settings.options(), here: settings.here(), signature: settings.signature() };
      items.change(item, {
        state: "waiting",
        share: 0,
        problem: null,
        wish,
        started: performance.now(),
        controller: new AbortController(),
      });
      try {
        await look(item, middle([item.width, item.height]));
        items.change(item, { state: before });
      } catch (error) {
        items.change(item, isAbort(error) ? { state: before } : { state: "failed", problem: asProblem(error) });
      } finally {
        items.change(item, { controller: null, previewing: false });
      }
    },
    /** Stop work on an item. */
    cancel(item) {
      const at = waiting.indexOf(item);
      if (at >= 0) {
        waiting.splice(at, 1);
        items.change(item, { state: "cancelled", controller: null });
      } else item.controller?.abort();
    },
    /** Stop all work at once, as the page is closed; what the server has of it is deleted. */
    stopAll() {
      for (const item of items.all.filter(isBusy)) item.controller?.abort();
    },
  };
}

function forget(preview) {
  if (preview) URL.revokeObjectURL(preview.address);
}

/** Guess the seconds left from the time gone by. */
function left(item, share) {
  const seconds = (performance.now() - item.started) / 1000;
  return share > 0.05 && seconds > 2 ? (seconds * (1 - share)) / share : null;
}

function fieldsOf(state) {
  const known = ["waiting", "running"].includes(state.state) ? { state: state.state } : {};
  return { ...known, share: state.progress ?? 0, place: state.place, secondsLeft: state.seconds_left };
}
