// The page: puts the parts together.

import { createApi } from "./api.js";
import { createCompare } from "./compare.js";
import { engineState, loadEngine, upscaleHere } from "./here.js";
import { createHistory } from "./history.js";
import { watchIntake } from "./intake.js";
import { createItems, isBusy, isPending } from "./items.js";
import { accepted, checkFile } from "./limits.js";
import { createPanel, showProblem } from "./panel.js";
import { Problem, asProblem, isAbort } from "./problems.js";
import { createSettings } from "./settings.js";
import { createStatus } from "./status.js";
import { createStrip, drawSmall, stateWords } from "./strip.js";
import { askToken } from "./token.js";
import { LANGUAGES, createWords, firstLanguage } from "./words.js";
import { createWork } from "./work.js";
import { makeZip } from "./zip.js";

const find = (selector) => document.querySelector(selector);
const isStatic = document.documentElement.dataset.site === "static";

/** What there is before the server has said what it takes. */
const UNKNOWN = {
  bytes: 20_000_000,
  input_pixels: 24_000_000,
  input_side: 16_384,
  output_pixels: 64_000_000,
  life_seconds: 3600,
  formats_in: ["png", "jpeg", "webp", "gif", "tiff", "bmp", "avif"],
  formats_out: ["png", "jpeg", "webp", "tiff", "avif"],
};

async function main() {
  const words = createWords();
  await words.use(firstLanguage());
  const items = createItems();
  const form = find("#work");
  const capability = { limits: UNKNOWN, restores: true, styles: ["photo", "art"] };
  const api = createApi(() => askToken(find("#token")));
  const settings = createSettings(form, items.tell);
  const history = createHistory(find("#history"), { items, words, api, button: find("#history-open") });
  const tell = createStatus(find("#status"));
  const compare = createCompare(find("#viewer"), words);
  const finished = (item) => {
    if (item.state === "done") history.add(item);
    if (item.state !== "cancelled" || item === items.selected) tell(`${item.name}: ${stateWords(item, words)}`);
  };
  const work = createWork({ items, api, settings, upscaleHere, finished });
  const remove = (item) => {
    work.cancel(item);
    if (item.result?.job) api.remove(item.result.job);
    history.drop(item);
    items.remove(item);
  };
  const drawStrip = createStrip(find("#strip ul"), { items, words, remove });
  const drawPanel = createPanel({ items, words, settings, capability });

  const draw = () => {
    const item = items.selected;
    find("#stage").dataset.show = item ? "viewer" : "welcome";
    document.body.classList.toggle("empty", !item);
    drawStrip();
    drawPanel();
    find("#limits").textContent = limitWords(capability.limits, words);
    find("#unseen").hidden = !item || Boolean(item.address) || ["checking", "refused"].includes(item.state);
    if (item) compare.show(item);
  };
  items.listen(draw);
  items.listen(progressTeller(items, words, tell));

  let taken = Promise.resolve();
  const take = (files) => (taken = Promise.all([taken, takeFiles(files, { items, words, capability })]));
  watchIntake(
    {
      file: find("#file"),
      camera: find("#camera"),
      samples: document.querySelectorAll("[data-sample]"),
      pageMark: document.body,
    },
    take,
  );
  watchButtons({ form, items, settings, work, words, allTaken: () => taken });
  watchLanguage(words, () => {
    history.refresh();
    draw();
  });
  addEventListener("pagehide", (event) => {
    if (!event.persisted) work.stopAll();
  });

  find("#file").multiple = true;
  form.noValidate = true;
  settings.restore();
  draw();
  await learn({ api, capability, settings, form, words });
  find("#file").accept = accepted(capability.limits);
  history.refresh();
  draw();
}

/** Learn what can be done, on the server and here, and offer only that. */
async function learn({ api, capability, settings, form, words }) {
  const here = document.querySelectorAll('input[name="where"]');
  const choose = () => settings.setHere(isStatic || form.querySelector('input[name="where"]:checked').value === "here");
  for (const input of here) input.addEventListener("change", choose);
  find("#where").hidden = true;
  if (isStatic) loadEngine();
  else
    engineState().then(({ ok }) => {
      find("#where").hidden = !ok;
      if (!ok) find('input[name="where"][value="server"]').checked = true;
      choose();
    });
  choose();
  try {
    const known = isStatic ? await (await fetch(new URL("models.json", import.meta.url))).json() : await api.models();
    Object.assign(capability.limits, known.limits);
    const styles = Object.keys(known.scales);
    capability.restores = styles.some((style) => (known.restores[style] ?? []).length > 0);
    capability.styles = styles.filter((style) => known.scales[style].length || (known.restores[style] ?? []).length);
    for (const radio of form.querySelectorAll('input[name="model"]'))
      radio.disabled = !known.words.includes(radio.value);
    if (form.querySelector('input[name="model"]:checked').disabled)
      form.querySelector('input[name="model"][value="auto"]').checked = true;
    const names = known.models.map(({ name }) =>
      Object.assign(document.createElement("option"), { value: name, textContent: name }),
    );
    find("#network").append(...names);
  } catch (error) {
    if (!isAbort(error)) showProblem(find("#file-problem"), asProblem(error), words);
  }
}

/** Take pictures in: check each, show what can be shown, and say what is wrong with the others beside the field. */
async function takeFiles(files, { items, words, capability }) {
  const { limits } = capability;
  showProblem(find("#file-problem"), files.length ? null : new Problem("file-none"), words);
  let first = true;
  for (const file of files) {
    const item = items.add(file);
    if (first) items.select(item);
    first = false;
    try {
      items.change(item, await checkFile(file, limits, words));
      await showFile(item, items);
      items.change(item, { state: "ready" });
    } catch (error) {
      items.change(item, { state: "refused", problem: asProblem(error) });
      if (files.length === 1 && items.all.length === 1) {
        items.remove(item);
        showProblem(find("#file-problem"), item.problem, words, item.name);
      }
    }
  }
}

/** Let the browser show a file, if it can: its upright size counts then. */
async function showFile(item, items) {
  const address = URL.createObjectURL(item.file);
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
    items.change(item, {
      address,
      width: image.naturalWidth,
      height: image.naturalHeight,
      small: await drawSmall(image),
    });
  } catch {
    URL.revokeObjectURL(address); // TIFF in most browsers, or damaged: the server will tell
  }
}

function watchButtons({ form, items, settings, work, words, allTaken }) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    work.start(items.all.filter((item) => isPending(item, settings.signature())));
    const unchecked = items.all.filter((item) => item.state === "checking");
    await allTaken();
    work.start(unchecked.filter((item) => item.state === "ready"));
  });
  find("#preview").addEventListener("click", () => work.preview(items.selected));
  find("#cancel").addEventListener("click", () => {
    for (const item of items.all.filter(isBusy)) work.cancel(item);
    find("#start").focus();
  });
  find("#zip").addEventListener("click", async () => {
    const results = items.all.filter((item) => item.result).map((item) => item.result);
    const address = URL.createObjectURL(await makeZip(results));
    Object.assign(document.createElement("a"), {
      href: address,
      download: `${words.say("action.zip-name")}.zip`,
    }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  });
}

function watchLanguage(words, changed) {
  const select = find("#language");
  select.replaceChildren(
    ...Object.entries(LANGUAGES).map(([value, textContent]) =>
      Object.assign(document.createElement("option"), { value, textContent, lang: value }),
    ),
  );
  select.value = words.language;
  select.addEventListener("change", async () => {
    await words.use(select.value);
    changed();
  });
}

/** Return a listener that tells screen readers of progress in quarters, of the picture that is looked at. */
function progressTeller(items, words, tell) {
  let last = "";
  return () => {
    const item = items.selected;
    if (!item || !isBusy(item)) return;
    const step = `${item.id} ${item.state} ${item.place ?? ""} ${Math.floor(item.share * 4)}`;
    if (step !== last) tell(stateWords(item, words));
    last = step;
  };
}

function limitWords(limits, words) {
  return words.say("limits.all", {
    formats: limits.formats_in.map((format) => ({ webp: "WebP" })[format] ?? format.toUpperCase()).join(", "),
    bytes: words.bytes(limits.bytes),
    pixels: words.megapixels(limits.input_pixels),
  });
}

main();
