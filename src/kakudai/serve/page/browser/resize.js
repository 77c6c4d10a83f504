// Exact resizing to the convention of kakudai/image/resize.py: pixel centres sit at half integers, the kernel is
// stretched when a picture shrinks, and outside the picture its mirror image continues.

import { fold, fullScale, newImage } from "./tiles.js";

const LOBES = 3;

// For every output coordinate the input coordinates it is made of, and how much of each, for Lanczos with three lobes.
export function taps(sizeIn, sizeOut) {
  const scale = sizeOut / sizeIn;
  const stretch = Math.min(scale, 1);
  const width = (2 * LOBES) / stretch;
  const count = Math.ceil(width) + 2;
  return Array.from({ length: sizeOut }, (_, position) => {
    const centre = (position + 0.5) / scale - 0.5;
    const first = Math.floor(centre - width / 2);
    const index = [];
    const weight = [];
    let sum = 0;
    for (let at = first; at < first + count; at++) {
      const value = lanczos(stretch * (centre - at));
      if (value === 0) continue;
      index.push(fold(at, sizeIn));
      weight.push(value);
      sum += value;
    }
    return { index, weight: weight.map((value) => value / sum) };
  });
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function lanczos(x) {
  return Math.abs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

// Resample to exactly width x height.
//   light: average light instead of sRGB values, as is right for what becomes smaller
export function resize(image, width, height, { light = false, bits = 8 } = {}) {
  const { data, channels } = image;
  const output = newImage(width, height, channels, bits);
  const decode = decoding(fullScale(data), light);
  const whole = fullScale(output.data);
  const across = taps(image.width, width);
  const line = new Float64Array(image.width * channels);
  let to = 0;
  for (const { index, weight } of taps(image.height, height)) {
    line.fill(0);
    for (let k = 0; k < index.length; k++) {
      const start = index[k] * line.length;
      const share = weight[k];
      for (let at = 0; at < line.length; at++) line[at] += share * decode[data[start + at]];
    }
    for (const column of across) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let k = 0; k < column.index.length; k++) {
          sum += column.weight[k] * line[column.index[k] * channels + channel];
        }
        const value = light ? toSrgb(sum) : sum;
        output.data[to++] = Math.floor(Math.min(1, Math.max(0, value)) * whole + 0.5);
      }
    }
  }
  return output;
}

function decoding(whole, light) {
  const table = new Float64Array(whole + 1);
  for (let value = 0; value <= whole; value++) table[value] = light ? toLight(value / whole) : value / whole;
  return table;
}

// The two-piece curve of IEC 61966-2-1, and its inverse.
function toLight(value) {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function toSrgb(light) {
  return light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
}

// Return which input coordinate each output coordinate lies in.
export function nearest(sizeIn, sizeOut) {
  const scale = sizeOut / sizeIn;
  return Int32Array.from({ length: sizeOut }, (_, position) => {
    return fold(Math.floor((position + 0.5) / scale - 0.5 + 0.5), sizeIn);
  });
}
