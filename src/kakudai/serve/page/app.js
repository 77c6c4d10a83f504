// The page: puts the parts together.

import { createApi } from "./api.js";
import { createCompare } from "./compare.js";
import { engineState, loadEngine, upscaleHere } from "./here.js";
import { createHistory } from "./history.js";
import { takeFiles, watchIntake } from "./intake.js";
import { createItems, isBusy, isPending, release } from "./items.js";
import { accepted, nameOfFormat } from "./limits.js";
import { createPanel, showProblem } from "./panel.js";
import { asProblem, isAbort } from "./problems.js";
import { createSettings } from "./settings.js";
import { createStatus } from "./status.js";
import { createStrip, stateWords } from "./strip.js";
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
  formats_out: ["png", "jpeg", "webp", "tiff", "avif", "gif"],
};

async function main() {
  const words = createWords();
  await words.use(firstLanguage());
  const items = createItems();
  const form = find("#work");
  const capability = { limits: UNKNOWN, restores: true, keepsPlace: false };
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
    items.remove(item);
    if (!history.drop(item)) release(item);
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
  const taking = { items, words, limits: capability.limits, problemMark: find("#file-problem") };
  const take = (files) => (taken = Promise.all([taken, takeFiles(files, taking)]));
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
  const { limits } = capability;
  const isHere = () => isStatic || form.querySelector('input[name="where"]:checked').value === "here";
  const choose = () => settings.setHere(isHere(), limits.formats_out);
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
    Object.assign(limits, known.limits);
    capability.restores = Object.values(known.restores).some((scales) => scales.length > 0);
    capability.keepsPlace = known.keeps_place;
    choose();
    for (const radio of form.querySelectorAll('input[name="model"]'))
      radio.disabled = !known.words.includes(radio.value);
    if (form.querySelector('input[name="model"]:checked').disabled)
      form.querySelector('input[name="model"][value="auto"]').checked = true;
    const kinds = [...form.querySelectorAll('input[name="model"]')].map((radio) => radio.value);
    const grades = known.words.filter((word) => !kinds.includes(word));
    find("#network").append(...[...grades, ...known.models.map(({ name }) => name)].map((name) => new Option(name)));
  } catch (error) {
    if (!isAbort(error)) showProblem(find("#file-problem"), asProblem(error), words);
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
    formats: limits.formats_in.map(nameOfFormat).join(", "),
    bytes: words.bytes(limits.bytes),
    pixels: words.megapixels(limits.input_pixels),
  });
}

main();
