// The server's HTTP interface: what it can do, jobs, their progress and their results.

import { keep, recall } from "./memory.js";
import { Problem, asProblem, problemFrom, problemOf } from "./problems.js";

const FINAL = ["done", "failed", "cancelled"];

/**
 * Return the calls of the API. All reject with a Problem, or an AbortError where a signal has stopped them.
 *
 * @param {() => Promise<string>} askToken Asks the visitor for the server's token; rejects where none is given.
 */
export function createApi(askToken) {
  const headers = () => {
    const token = recall("token", "", "sessionStorage");
    return token ? { Authorization: `Bearer ${token}` } : {};
  };

  const authorised = async (call) => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (error.status !== 401 && error.type !== "token-wrong") throw error;
        keep("token", await askToken(error), "sessionStorage");
      }
    }
  };

  const ask = (address, options = {}) =>
    authorised(async () => {
      const more = { ...options.headers, ...headers() };
      const answer = await fetch(address, { ...options, headers: more }).catch((error) => {
        throw error.name === "AbortError" ? error : new Problem("no-answer");
      });
      if (!answer.ok) throw await problemOf(answer);
      return answer;
    });

  return {
    models: async () => (await ask("v1/models")).json(),
    submit: (file, options, watch) => authorised(() => send(file, options, watch, headers())),
    follow: (address, watch) => follow(ask, address, watch),
    async result(address, signal) {
      const answer = await ask(address, { signal });
      return { blob: await answer.blob(), name: nameIn(answer.headers.get("Content-Disposition") ?? "") };
    },
    /** Cancel a job and delete all of it; a job that is gone already is no problem. */
    remove: (address) =>
      fetch(address, { method: "DELETE", headers: headers(), keepalive: true }).catch(() => undefined),
  };
}

/** Send a picture and its options. XMLHttpRequest, because fetch tells nothing of an upload's progress. */
function send(file, options, { sent, signal }, headers) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    const stop = () => request.abort();
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    request.open("POST", "v1/jobs");
    request.responseType = "text";
    for (const [name, value] of Object.entries({ Accept: "application/json", ...headers }))
      request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => sent(event.loaded / event.total);
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onerror = () => reject(new Problem("no-answer"));
    request.onload = () =>
      request.status === 202 ? resolve(JSON.parse(request.responseText)) : reject(refusal(request));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    request.send(form);
  });
}

function refusal(request) {
  let body = {};
  try {
    body = JSON.parse(request.responseText);
  } catch {
    // No problem document: what stands before the server has answered, and its status must do.
  }
  return problemFrom({ status: request.status, ...body }, Number(request.getResponseHeader("Retry-After")) || 0);
}

/**
 * Tell `heard` each state of a job until a final one, which is returned.
 *
 * Server-sent events are read with fetch, because EventSource cannot send a token. Where they break off or are
 * refused, the state is asked for every second; six failures in a row are the end.
 */
async function follow(ask, address, { heard, signal }) {
  for (let failures = 0; ; failures += 1) {
    try {
      const states = failures
        ? [await (await ask(address, { signal })).json()]
        : statesIn((await ask(`${address}/events`, { signal, headers: { Accept: "text/event-stream" } })).body);
      for await (const state of states) {
        failures = 0;
        heard(state);
        if (FINAL.includes(state.state)) return state;
      }
    } catch (error) {
      if (error.name === "AbortError") throw error;
      const problem = asProblem(error);
      if (failures >= 5 || (problem.status >= 400 && problem.status < 500)) throw problem;
    }
    await pause(1, signal);
  }
}

async function* statesIn(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value.replaceAll("\r\n", "\n")).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}

/** Wait for seconds; rejects with an AbortError where a signal stops it. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

/** Return the file name in a Content-Disposition header, or ''. */
export function nameIn(header) {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(header);
  if (encoded) return decodeURIComponent(encoded[1]);
  return /filename="([^"]*)"/i.exec(header)?.[1] ?? "";
}
