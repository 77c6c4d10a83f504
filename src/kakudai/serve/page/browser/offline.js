// Lets a later visit do without a network. Only on the static site; index.html there asks for this file.

if ("serviceWorker" in navigator) {
  const address = new URL("../../service-worker.js", import.meta.url);
  // Without it the page works all the same, only not offline and with one thread.
  navigator.serviceWorker.register(address, { updateViaCache: "none" }).catch((error) => console.warn(error.message));
}
