// One network over one picture: every tile converted, run, checked and put in its place. See kakudai/engine/passes.py.

import { fault, planes } from "./guard.js";
import { TILE, cut, fullScale, marginOf, newImage, planesOf } from "./tiles.js";

export class WrongResult extends Error {}

// Enlarge a whole picture by the network's scale.
//   model: one entry of models.json; run(x, channels, height, width): promises the network's three planes
//   image: 1 or 3 channels of 8 or 16 bits; bits: of the result; progress(pixels): input pixels that were just finished
export async function runPass(model, run, image, { bits = 8, strength = null, tile = TILE, progress = () => {} } = {}) {
  const output = newImage(image.width * model.scale, image.height * model.scale, image.channels, bits);
  for (const core of cut(image.height, image.width, tile, model.multiple)) {
    const given = planesOf(image, core, model, strength);
    const y = await run(given.x, strength === null ? 3 : 4, given.height, given.width);
    place(output, core, check(y, given, core, model));
    progress(core.width * core.height);
  }
  return output;
}

// Return the core of what a network has returned.
function check(y, given, core, model) {
  const s = model.scale;
  const margin = marginOf(model);
  const area = given.height * given.width * s * s;
  const where = `the tile at (${core.left}, ${core.top})`;
  if (y.length !== 3 * area) throw new WrongResult(`${where} has ${y.length} values, expected ${3 * area}`);
  const before = { top: margin, left: margin, width: core.width, height: core.height };
  const after = { top: margin * s, left: margin * s, width: core.width * s, height: core.height * s };
  const result = planes(y, given.width * s, area, after);
  const wrong = fault(planes(given.x, given.width, given.height * given.width, before), result, s);
  if (wrong) throw new WrongResult(`${where} is not the enlarged picture: ${wrong}`);
  return result;
}

// Write a core into the picture: clipped to 0 .. 1, rounded half up.
function place(output, core, { data, start, stride, area, width, height }) {
  const { data: pixels, channels } = output;
  const whole = fullScale(pixels);
  const scale = width / core.width;
  for (let row = 0; row < height; row++) {
    let to = ((core.top * scale + row) * output.width + core.left * scale) * channels;
    for (let column = 0; column < width; column++) {
      const from = start + row * stride + column;
      for (let channel = 0; channel < channels; channel++) {
        const value = data[from + channel * area];
        pixels[to++] = Math.floor(Math.min(1, Math.max(0, value)) * whole + 0.5);
      }
    }
  }
}
