// Is this tile the enlarged picture? The rules and limits of kakudai/engine/guard.py: nothing that is not may be given
// out as a result. Planes are {data, start, stride, area, width, height}: three channels inside a larger array.

const BLOCK = 16;
const MEAN_TOLERANCE = 0.02;
const DETAIL_TOLERANCE = 0.15;
const SMALL_TILE_TOLERANCE = 0.2;
const BLOCK_TOLERANCE = 0.06;
const BLANK_CONTRAST = 0.02;

export function planes(data, stride, area, { top, left, width, height }) {
  return { data, start: top * stride + left, stride, area, width, height };
}

// Say what is wrong with what a network returned, or null.
export function fault(x, y, scale) {
  const light = squareMeans(x, 1);
  const result = squareMeans(y, scale);
  if (!result.means.every((means) => means.every(Number.isFinite))) return "it contains values that are no numbers";
  const moved = Math.max(...light.mean.map((mean, channel) => Math.abs(result.mean[channel] - mean)));
  const contrasts = contrastsOf(x);
  const contrast = Math.max(...contrasts);
  const detail = squareMeans(detailOf(x), 1);
  const average = (detail.mean[0] + detail.mean[1] + detail.mean[2]) / 3;
  const allowed = MEAN_TOLERANCE + DETAIL_TOLERANCE * average;
  if (moved > allowed + (SMALL_TILE_TOLERANCE * contrast) / Math.sqrt(x.width * x.height)) {
    return `its mean colour moved by ${moved.toFixed(3)}`;
  }
  const after = contrastsOf(y);
  if (contrasts.some((before, channel) => before > BLANK_CONTRAST && after[channel] < before / 1000)) {
    return "a channel of it is flat";
  }
  const side = Math.min(BLOCK, x.width, x.height);
  const limit = BLOCK_TOLERANCE + (side < BLOCK ? (SMALL_TILE_TOLERANCE * contrast) / side : 0);
  for (let channel = 0; channel < 3; channel++) {
    for (let k = 0; k < light.means[channel].length; k++) {
      const change = Math.abs(result.means[channel][k] - light.means[channel][k]);
      if (change - DETAIL_TOLERANCE * detail.means[channel][k] > limit) {
        return `the mean colour of a square moved by ${change.toFixed(3)}`;
      }
    }
  }
  return null;
}

function contrastsOf({ data, start, stride, area, width, height }) {
  return [0, 1, 2].map((channel) => {
    let low = Infinity;
    let high = -Infinity;
    for (let row = 0; row < height; row++) {
      const from = start + channel * area + row * stride;
      for (let k = from; k < from + width; k++) {
        if (data[k] < low) low = data[k];
        if (data[k] > high) high = data[k];
      }
    }
    return high - low;
  });
}

// How much each pixel differs from its right and its lower neighbour, on average of the two.
function detailOf({ data, start, stride, area, width, height }) {
  const detail = new Float32Array(3 * width * height);
  for (let channel = 0, to = 0; channel < 3; channel++) {
    for (let row = 0; row < height; row++) {
      const from = start + channel * area + row * stride;
      for (let column = 0; column < width; column++, to++) {
        const here = data[from + column];
        const across = column + 1 < width ? Math.abs(data[from + column + 1] - here) : 0;
        const down = row + 1 < height ? Math.abs(data[from + stride + column] - here) : 0;
        detail[to] = (across + down) / 2;
      }
    }
  }
  return planes(detail, width, width * height, { top: 0, left: 0, width, height });
}

// Average over squares that are as equal as can be, and over the whole.
function squareMeans({ data, start, stride, area, width, height }, scale) {
  const down = edges(height / scale, scale);
  const across = edges(width / scale, scale);
  const means = [];
  const mean = [];
  for (let channel = 0; channel < 3; channel++) {
    const found = [];
    let total = 0;
    for (let i = 0; i + 1 < down.length; i++) {
      for (let j = 0; j + 1 < across.length; j++) {
        let sum = 0;
        for (let row = down[i]; row < down[i + 1]; row++) {
          const from = start + channel * area + row * stride;
          for (let k = from + across[j]; k < from + across[j + 1]; k++) sum += data[k];
        }
        total += sum;
        found.push(sum / ((down[i + 1] - down[i]) * (across[j + 1] - across[j])));
      }
    }
    means.push(found);
    mean.push(total / (width * height));
  }
  return { means, mean };
}

function edges(size, scale) {
  const count = Math.max(1, Math.floor(size / BLOCK));
  return Array.from({ length: count + 1 }, (_, k) => scale * Math.floor((size * k) / count));
}
