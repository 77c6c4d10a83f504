// Transparency, by the rules of kakudai/image/alpha.py: what nobody sees must not be seen by the network, and must not
// become visible by it.

import { nearest } from "./resize.js";
import { newImage } from "./tiles.js";

const SOLID = 255 / 16; // Alpha from which on a pixel keeps its own colour.

// Replace colours under transparent pixels by those of the visible ones around, by push and pull.
//   radius: how many pixels outside the visible part are filled with nearby colours, at least
export function bleed(color, alpha, radius) {
  if (alpha.data.every((value) => value >= SOLID)) return color;
  const { width, height, channels } = color;
  const levels = [halve(width, height, channels, color.data, (k) => alpha.data[k] / 255)];
  for (;;) {
    const last = levels.at(-1);
    if (2 ** levels.length >= 2 * radius || Math.max(last.width, last.height) <= 1) break;
    levels.push(halve(last.width, last.height, channels, last.mean, (k) => last.weight[k]));
  }
  let filled = coarsest(levels.pop(), channels);
  for (const level of levels.reverse()) {
    const above = doubled(filled, level.width, level.height, channels);
    for (let k = 0; k < level.weight.length; k++) {
      for (let at = k * channels; at < (k + 1) * channels; at++) {
        above[at] += level.weight[k] * (level.mean[at] - above[at]);
      }
    }
    filled = { mean: above, width: level.width, height: level.height };
  }
  return filledIn(color, alpha, filled);
}

// Average squares of four by weight; the weight of a square is the sum, but at most 1.
function halve(width, height, channels, values, weightAt) {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const mean = new Float32Array(half.width * half.height * channels);
  const weight = new Float32Array(half.width * half.height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = row * width + column;
      const share = weightAt(from);
      if (share === 0) continue;
      const to = (row >> 1) * half.width + (column >> 1);
      weight[to] += share;
      for (let channel = 0; channel < channels; channel++) {
        mean[to * channels + channel] += share * values[from * channels + channel];
      }
    }
  }
  for (let k = 0; k < weight.length; k++) {
    if (weight[k] === 0) continue;
    for (let at = k * channels; at < (k + 1) * channels; at++) mean[at] /= weight[k];
    weight[k] = Math.min(weight[k], 1);
  }
  return { ...half, mean, weight };
}

// Give the squares of the coarsest level that have no colour the mean of all; mid-grey where nothing is visible.
function coarsest({ width, height, mean, weight }, channels) {
  const base = new Float64Array(channels);
  let total = 0;
  for (let k = 0; k < weight.length; k++) {
    total += weight[k];
    for (let channel = 0; channel < channels; channel++) base[channel] += weight[k] * mean[k * channels + channel];
  }
  const filled = Float32Array.from(mean, (value, at) => {
    const common = total ? base[at % channels] / total : 127.5;
    return common + weight[Math.floor(at / channels)] * (value - common);
  });
  return { mean: filled, width, height };
}

// Enlarge twofold to width x height, bilinearly, edge pixels repeated.
function doubled(image, width, height, channels) {
  const output = new Float32Array(width * height * channels);
  const line = new Float32Array(image.width * channels);
  for (let row = 0, to = 0; row < height; row++) {
    interpolateRow(image, row, channels, line);
    for (let column = 0; column < width; column++) {
      const near = (column >> 1) * channels;
      const far = neighbour(column, image.width) * channels;
      for (let channel = 0; channel < channels; channel++) {
        output[to++] = 0.75 * line[near + channel] + 0.25 * line[far + channel];
      }
    }
  }
  return output;
}

function interpolateRow({ mean, width, height }, row, channels, line) {
  const near = (row >> 1) * width * channels;
  const far = neighbour(row, height) * width * channels;
  for (let at = 0; at < line.length; at++) line[at] = 0.75 * mean[near + at] + 0.25 * mean[far + at];
}

function neighbour(at, size) {
  return Math.min(size - 1, Math.max(0, (at >> 1) + (at % 2 ? 1 : -1)));
}

// Mix the picture with the doubled colours around it, by how transparent each pixel is.
function filledIn(color, alpha, around) {
  const { width, height, channels } = color;
  const output = newImage(width, height, channels);
  output.data.set(color.data);
  const line = new Float32Array(around.width * channels);
  for (let row = 0; row < height; row++) {
    interpolateRow(around, row, channels, line);
    for (let column = 0; column < width; column++) {
      const pixel = row * width + column;
      const share = alpha.data[pixel] / SOLID;
      if (share >= 1) continue;
      const near = (column >> 1) * channels;
      const far = neighbour(column, around.width) * channels;
      for (let channel = 0; channel < channels; channel++) {
        const above = 0.75 * line[near + channel] + 0.25 * line[far + channel];
        const own = share > 0 ? color.data[pixel * channels + channel] : 0;
        output.data[pixel * channels + channel] = Math.floor(above + share * (own - above) + 0.5);
      }
    }
  }
  return output;
}

// Clip an enlarged alpha to the smallest and largest value around the pixel that each pixel comes from.
export function stayBetweenNeighbours(enlarged, alpha) {
  const low = extreme(alpha, Math.min);
  const high = extreme(alpha, Math.max);
  const rows = nearest(alpha.height, enlarged.height);
  const columns = nearest(alpha.width, enlarged.width);
  const output = newImage(enlarged.width, enlarged.height, 1);
  for (let row = 0, to = 0; row < enlarged.height; row++) {
    for (let column = 0; column < enlarged.width; column++, to++) {
      const from = rows[row] * alpha.width + columns[column];
      output.data[to] = Math.min(high[from], Math.max(low[from], enlarged.data[to]));
    }
  }
  return output;
}

// Return the smallest or largest value of each 3x3 neighbourhood.
function extreme({ data, width, height }, choose) {
  const across = new Uint8Array(data.length);
  const output = new Uint8Array(data.length);
  for (let k = 0; k < data.length; k++) {
    const column = k % width;
    across[k] = choose(data[k], data[column ? k - 1 : k], data[column + 1 < width ? k + 1 : k]);
  }
  for (let k = 0; k < data.length; k++) {
    output[k] = choose(across[k], across[k >= width ? k - width : k], across[k + width < data.length ? k + width : k]);
  }
  return output;
}
