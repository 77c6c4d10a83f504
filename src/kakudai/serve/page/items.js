// The pictures of this visit: a list, which of them is looked at, and what has become of each.

/**
 * Return the list. `listen` calls back after changes, many of them at once.
 *
 * An item: {id, file, name, address of its pixels or '' where the browser cannot show them, width, height, format,
 * state, share done 0..1, place in the queue, secondsLeft, retrying, problem, result, preview, controller, job}.
 * States: checking, refused, ready, uploading, waiting, running, done, failed, cancelled.
 */
export function createItems() {
  const listeners = [];
  let list = [];
  let selected = null;
  let number = 0;
  let scheduled = false;

  const tell = () => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      for (const listener of listeners) listener();
    });
  };

  return {
    get all() {
      return list;
    },
    get selected() {
      return selected;
    },
    listen: (listener) => listeners.push(listener),
    tell,
    add(file) {
      number += 1;
      const item = { id: number, file, name: file.name, address: "", width: 0, height: 0, state: "checking", share: 0 };
      list.push(item);
      selected ??= item;
      tell();
      return item;
    },
    change(item, fields) {
      Object.assign(item, fields);
      tell();
    },
    select(item) {
      if (!list.includes(item)) list.push(item);
      selected = item;
      tell();
    },
    remove(item) {
      const at = list.indexOf(item);
      list = list.filter((other) => other !== item);
      if (selected === item) selected = list[Math.min(at, list.length - 1)] ?? null;
      tell();
    },
  };
}

/** Let the browser free what it keeps of an item that nobody looks at again. */
export function release(item) {
  const addresses = [item.address, item.small, item.preview?.address, item.result?.address];
  for (const address of addresses.filter(Boolean)) URL.revokeObjectURL(address);
}

/** Say whether an item is being worked on. */
export const isBusy = (item) => ["uploading", "waiting", "running"].includes(item.state);

/** Say whether work on an item makes sense: it has no result, or one of other settings. */
export const isPending = (item, signature) =>
  ["ready", "failed", "cancelled"].includes(item.state) ||
  (item.state === "done" && item.result.signature !== signature);
