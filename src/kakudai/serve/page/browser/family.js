// Which of the networks are for which wish. The rules of kakudai/models/shipped.py.

const SCALES = [2, 3, 4];

// The networks there are, by name.
//   stems: for each word that stands for several networks, what the names of those begin with, by style
export class Family {
  constructor({ models, stems }) {
    this.models = new Map(models.map((model) => [model.name, model]));
    this.stems = stems;
  }

  has(name) {
    return this.models.has(name);
  }

  isWord(name) {
    return Object.hasOwn(this.stems, name);
  }

  get words() {
    return Object.keys(this.stems).filter((word) => this.styles(word).length);
  }

  // Return the styles that a word leaves to choose from; none for what is no word.
  styles(word) {
    const stems = Object.entries(this.isWord(word) ? this.stems[word] : {});
    return stems.filter(([, stem]) => this.scales(stem).length).map(([style]) => style);
  }

  scales(stem) {
    return SCALES.filter((scale) => this.has(`${stem}-x${scale}`));
  }

  restores(style) {
    return [1, ...this.scales(style)].some((scale) => this.has(`${style}-restore-x${scale}`));
  }

  // Name the networks for an enlargement: of the smallest scale that reaches it, or the largest there is.
  pick(word, style, ratio, restore) {
    const stem = this.stems[word][style];
    const scales = this.scales(stem);
    let scale = scales.find((known) => known >= ratio) ?? scales.at(-1);
    const both = restore ? scales.filter((known) => this.has(`${style}-restore-x${known}`)) : [];
    const alone = restore && this.has(`${style}-restore-x1`) ? `${style}-restore-x1` : null;
    if (both.length && !alone && !both.includes(scale)) scale = both.at(-1);
    const within = both.includes(scale) && (ratio > 1 || !alone);
    const combined = within ? `${style}-restore-x${scale}` : null;
    const enlarging = `${stem}-x${scale}`;
    const notes = notesOn(stem, scales, scale, ratio);
    if (combined && stem !== style)
      notes.push(`${combined} removes the damage and enlarges, in place of ${enlarging}; -d 0 removes none`);
    return { enlarging, denoising: combined ? null : alone, combined, notes };
  }
}

// Say what is done instead where there is no network of the natural scale.
function notesOn(stem, scales, scale, ratio) {
  const natural = Math.max(2, Math.ceil(ratio));
  if (scales.includes(natural) || natural > SCALES.at(-1)) return [];
  const there = scales.map((known) => `${known}x`).join(" and ");
  const done = scale < ratio ? "it is enlarged in several passes" : `its ${scale}x is shrunk`;
  return [`for ${stem} there is ${there} and no ${natural}x: ${done}`];
}
