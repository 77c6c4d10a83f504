// Cutting a picture into tiles so that nobody can tell: the rules of kakudai/engine/tiles.py.
//
// An image is {data, width, height, channels}: rows from the top, channels side by side, in a Uint8Array or
// Uint16Array. Outside the picture its mirror image continues, the edge pixel repeated once, as often as needed.

export const TILE = 192; // Largest side of a tile's core in input pixels; changes nothing but time and memory.

export function fullScale(data) {
  return data instanceof Uint16Array ? 65535 : 255;
}

export function newImage(width, height, channels, bits = 8) {
  const Kind = bits === 16 ? Uint16Array : Uint8Array;
  return { data: new Kind(width * height * channels), width, height, channels };
}

// Bring a coordinate outside 0 .. size - 1 back inside.
export function fold(index, size) {
  const period = ((index % (2 * size)) + 2 * size) % (2 * size);
  return Math.min(period, 2 * size - 1 - period);
}

// Cut one side into parts that are as equal as can be and begin at multiples; returns [start, length] of each.
export function spans(size, largest, multiple = 1) {
  const units = Math.ceil(size / multiple);
  const count = size <= largest ? 1 : Math.ceil(units / Math.max(1, Math.floor(largest / multiple)));
  const edge = (k) => Math.min(size, multiple * Math.floor((units * k) / count));
  return Array.from({ length: count }, (_, k) => [edge(k), edge(k + 1) - edge(k)]);
}

// Cover a picture with cores, row by row, every pixel exactly once.
export function cut(height, width, tile, multiple = 1) {
  const columns = spans(width, tile, multiple);
  return spans(height, tile, multiple).flatMap(([top, rows]) =>
    columns.map(([left, across]) => ({ top, left, height: rows, width: across })),
  );
}

// Pixels around a core that a network is given: its halo, but whole multiples.
export function marginOf(model) {
  return model.multiple * Math.ceil(model.halo / model.multiple);
}

// Return a core with its halo as a network takes it: planes of floats in 0 .. 1, grey three times, and a fourth
// plane of the strength where that is a number.
export function planesOf(image, core, model, strength = null) {
  const margin = marginOf(model);
  const side = (length) => Math.ceil((length + 2 * margin) / model.multiple) * model.multiple;
  const height = side(core.height);
  const width = side(core.width);
  const area = height * width;
  const x = new Float32Array(area * (strength === null ? 3 : 4));
  const { data, channels } = image;
  const whole = fullScale(data);
  const columns = Int32Array.from({ length: width }, (_, c) => fold(core.left - margin + c, image.width) * channels);
  for (let row = 0; row < height; row++) {
    const start = fold(core.top - margin + row, image.height) * image.width * channels;
    for (let channel = 0; channel < 3; channel++) {
      const from = start + Math.min(channel, channels - 1);
      const to = channel * area + row * width;
      for (let column = 0; column < width; column++) x[to + column] = data[from + columns[column]] / whole;
    }
  }
  if (strength !== null) x.fill(strength, 3 * area);
  return { x, height, width };
}
