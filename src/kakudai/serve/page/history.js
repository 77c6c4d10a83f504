// What was made in this visit: results to look at again and to download, and those of before a reload, from the server.

import { release } from "./items.js";
import { keep, recall } from "./memory.js";
import { asProblem, explain } from "./problems.js";

/** Return the history in a dialog; `add(item)` notes the item's result. */
export function createHistory(dialog, { items, words, api, button }) {
  const list = dialog.querySelector("ol");
  const entries = [];

  button.addEventListener("click", () => {
    draw();
    dialog.showModal();
  });
  dialog.querySelector(".forget").addEventListener("click", () => {
    for (const { item, job, result } of entries.splice(0)) {
      const shown = items.all.includes(item);
      if (job) api.remove(job);
      if (item && !shown) release(item);
      if (result && !(shown && item.result === result)) URL.revokeObjectURL(result.address);
    }
    remember();
    draw();
    dialog.close();
  });

  function remember() {
    const saved = entries
      .filter((entry) => entry.job)
      .map(({ name, job, expires, size }) => ({ name, job, expires, size }));
    keep("history", saved.length ? saved : undefined, "sessionStorage");
    button.hidden = entries.length === 0;
    button.querySelector(".number").textContent = words.number(entries.length);
  }

  function row(entry) {
    const element = document.querySelector("#history-row").content.firstElementChild.cloneNode(true);
    element.querySelector(".name").textContent = entry.name;
    element.querySelector(".name").title = entry.name;
    element.querySelector(".facts").textContent = [words.size(entry.size), entry.bytes && words.bytes(entry.bytes)]
      .filter(Boolean)
      .join(" · ");
    const [show, get] = [element.querySelector(".show"), element.querySelector(".get")];
    show.hidden = !entry.item;
    show.textContent = words.say("history.show");
    show.addEventListener("click", () => {
      dialog.close();
      items.change(entry.item, { state: "done", result: entry.result, preview: null });
      items.select(entry.item);
    });
    get.textContent = words.say("action.download");
    get.addEventListener("click", (event) => {
      if (!entry.result) {
        event.preventDefault();
        fetchAgain(entry, get);
      }
    });
    if (entry.result) Object.assign(get, { href: entry.result.address, download: entry.name });
    return element;
  }

  /** Fetch a result of before a reload, and hand it to the visitor. */
  async function fetchAgain(entry, link) {
    try {
      const { blob } = await api.result(`${entry.job}/result`);
      entry.result = { address: URL.createObjectURL(blob) };
      Object.assign(link, { href: entry.result.address, download: entry.name });
      link.click();
    } catch (error) {
      link.replaceWith(error.status === 404 ? words.say("history.gone") : explain(asProblem(error), words).detail);
    }
  }

  function draw() {
    list.replaceChildren(...entries.map(row).reverse());
  }

  for (const saved of recall("history", [], "sessionStorage")) {
    if (Date.parse(saved.expires) > Date.now()) entries.push(saved);
  }

  return {
    add(item) {
      const { result } = item;
      const size = [result.width, result.height];
      entries.push({
        item,
        result,
        name: result.name,
        size,
        bytes: result.blob.size,
        job: result.job,
        expires: result.expires,
      });
      remember();
    },
    /** Delete all results of an item on the server; the copies here stay. Return whether there are any. */
    drop(item) {
      const own = entries.filter((entry) => entry.item === item);
      for (const entry of own) {
        if (entry.job) api.remove(entry.job);
        entry.job = undefined;
      }
      remember();
      return own.length > 0;
    },
    refresh: remember,
  };
}
