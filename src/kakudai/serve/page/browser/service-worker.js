// Keeps the whole site for visits without a network. The build writes constants in front of this: VERSION, a hash over
// everything; FILES, the SHA-256 of every file by its path; LATER, those that are kept when they are first asked for,
// because few browsers can use them; and POLICY, what pages and workers may do.
//
// A version is kept in a cache of its own, is complete and checked before it is used, and is given out alone: nobody
// gets files of two versions. A new one takes over when the last page of the old one is closed or loaded again.
//
// Pages are told to be isolated from others, which static hosts cannot be made to say: without it there are no threads.

const PREFIX = "kakudai-";
const CACHE = PREFIX + VERSION;
const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", (event) => {
  event.waitUntil(keepAll());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers());
});

self.addEventListener("message", ({ data }) => {
  if (data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request);
  if (path !== null) event.respondWith(answer(event.request, path));
});

// Return which file of the site is asked for, or null.
function pathOf({ method, url }) {
  const scope = self.registration.scope;
  const address = new URL(url);
  if (method !== "GET" || !address.href.startsWith(scope)) return null;
  const path = decodeURI(address.pathname.slice(new URL(scope).pathname.length)) || "index.html";
  return Object.hasOwn(FILES, path) ? path : null;
}

async function keepAll() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    Object.keys(FILES)
      .filter((path) => !LATER.includes(path))
      .map((path) => keep(cache, path)),
  );
}

async function keep(cache, path) {
  if (!(await cache.match(path))) await cache.put(path, await fetchChecked(path));
}

// Fetch a file of this version. What is no longer, or not yet, on the host fails. A host that tells files apart by their
// times alone may say that one has not changed though it has: then it is asked for the whole file.
async function fetchChecked(path) {
  for (const cache of ["no-cache", "reload"]) {
    const found = await fetch(path === "index.html" ? "./" : path, { cache });
    if (!found.ok) throw new Error(`${path}: ${found.status}`);
    const body = await found.arrayBuffer();
    if ((await hashOf(body)) === FILES[path]) {
      return new Response(body, { headers: { "Content-Type": found.headers.get("Content-Type") ?? typeOf(path) } });
    }
  }
  throw new Error(`${path} is not that of version ${VERSION}`);
}

async function hashOf(body) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function typeOf(path) {
  return path.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
}

async function dropOthers() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
}

async function answer(request, path) {
  if (request.mode === "navigate" && (await madeWay())) return new Response("", { headers: { Refresh: "0" } });
  try {
    const cache = await caches.open(CACHE);
    await keep(cache, path);
    const kept = await cache.match(path);
    const headers = new Headers(kept.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    return new Response(kept.body, { status: 200, headers });
  } catch (error) {
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    return new Response(`Close all pages of kakudai and open it again.\n${error.message}`, { status: 503, headers });
  }
}

// Let a new version take over where no other page is open; say whether it does.
async function madeWay() {
  const { waiting } = self.registration;
  if (!waiting || (await self.clients.matchAll()).length > 1) return false;
  waiting.postMessage("take over");
  return true;
}
