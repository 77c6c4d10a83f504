// The page's words in the visitor's language, and numbers as that language writes them.

import { keep, recall } from "./memory.js";

export const LANGUAGES = {
  en: "English",
  ja: "日本語",
  zh: "简体中文",
  de: "Deutsch",
  es: "Español",
  fr: "Français",
};

/** Return the language to begin with: the one chosen before, else the browser's, else English. */
export function firstLanguage() {
  const wanted = [recall("language", ""), ...navigator.languages];
  return wanted.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag in LANGUAGES) ?? "en";
}

/**
 * Return the words, in English until `use` has loaded another language.
 *
 * `say(key, values)` fills {name} with values; `count(key, number)` takes KEY.one or KEY.other.
 */
export function createWords() {
  let texts = {};
  const words = {
    language: "en",
    async use(language) {
      const answer = await fetch(new URL(`languages/${language}.json`, import.meta.url));
      if (!answer.ok) throw new Error(`no words for ${language}: ${answer.status}`);
      texts = await answer.json();
      words.language = language;
      document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
      keep("language", language);
      apply(document, words);
    },
    has: (key) => key in texts,
    spaced: () => !["ja", "zh"].includes(words.language),
    say: (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole),
    count(key, number, values = {}) {
      const single = number === 1 || new Intl.PluralRules(words.language).select(number) === "one";
      const form = single ? "one" : "other";
      return words.say(`${key}.${form}`, { number: words.number(number), ...values });
    },
    number: (value, digits = 0) =>
      new Intl.NumberFormat(words.language, { maximumFractionDigits: digits }).format(value),
    bytes: (value) => unit(words, value < 1e6 ? "kilobyte" : "megabyte", value < 1e6 ? value / 1e3 : value / 1e6),
    megapixels(pixels) {
      const digits = pixels < 1e6 ? 2 : pixels < 9.95e6 ? 1 : 0;
      const shown = Number((pixels / 1e6).toFixed(digits)); // its rounding decides between one and many
      return words.count("unit.megapixels", shown, { number: words.number(shown, digits) });
    },
    seconds: (value) => duration(words, value),
    size: ([width, height]) => `${width} × ${height}`,
  };
  return words;
}

function unit(words, name, value, unitDisplay = "short") {
  const digits = value < 10 ? 1 : 0;
  const options = { style: "unit", unit: name, unitDisplay, maximumFractionDigits: digits };
  return new Intl.NumberFormat(words.language, options).format(value);
}

function duration(words, seconds) {
  if (seconds < 90) return unit(words, "second", seconds < 9.5 ? Math.max(0.1, seconds) : seconds, "long");
  const minutes = Math.round(seconds / 60);
  const hours = minutes % 60 === 0 || minutes > 100;
  const options = { style: "unit", unit: hours ? "hour" : "minute", unitDisplay: "long" };
  return new Intl.NumberFormat(words.language, options).format(hours ? Math.round(minutes / 60) : minutes);
}

/** Put words where elements ask for them: data-word for text, data-word-label for what screen readers read. */
function apply(root, words) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = words.say(element.dataset.word);
  for (const element of root.querySelectorAll("[data-word-label]")) {
    element.setAttribute("aria-label", words.say(element.dataset.wordLabel));
    if (element.dataset.wordTitle !== undefined) element.title = words.say(element.dataset.wordLabel);
  }
}
