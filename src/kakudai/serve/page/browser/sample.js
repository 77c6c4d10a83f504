// The part of a picture that is looked at: all of a small one, squares of a large one. See kakudai/analyse/sample.py.
//
// An area is {width, height, planes, visible}: one or three planes of levels 0 .. 255, and where alpha is not 0 (a
// Uint8Array), or null for everywhere.

export const AREA_SIDE = 256;
const MOST_AREAS = 16;
const STEP = 16;

// Cut out what is looked at. Alpha is an image of one channel, or null.
export function areasOf(color, alpha) {
  return places(color.height, color.width, AREA_SIDE, MOST_AREAS).map((place) => {
    const planes = Array.from({ length: color.channels }, (_, channel) => crop(color, place, channel, Float32Array));
    const parts = alpha ? crop(alpha, place, 0, Uint8Array) : null;
    const visible = parts?.includes(0) ? parts.map((value) => (value > 0 ? 1 : 0)) : null;
    return { width: place.width, height: place.height, planes, visible };
  });
}

function crop({ data, width, channels }, place, channel, Kind) {
  const output = new Kind(place.width * place.height);
  for (let row = 0, to = 0; row < place.height; row++) {
    const start = (place.top + row) * width + place.left;
    for (let column = 0; column < place.width; column++, to++) output[to] = data[(start + column) * channels + channel];
  }
  return output;
}

// Cut smaller squares out of areas, by the same rule, for what needs fewer pixels.
export function thinned(areas, side) {
  const [{ width, height }] = areas;
  const parts = places(height, width, side, Math.floor(MOST_AREAS / areas.length));
  return areas.flatMap((area) =>
    parts.map((place) => {
      const part = (data, Kind) => crop({ data, width, channels: 1 }, place, 0, Kind);
      const planes = area.planes.map((plane) => part(plane, Float32Array));
      return {
        width: place.width,
        height: place.height,
        planes,
        visible: area.visible && part(area.visible, Uint8Array),
      };
    }),
  );
}

// Return the rectangles: all in one, or of squares at most so many.
function places(height, width, side, most) {
  if (height * width <= most * side ** 2) return [{ top: 0, left: 0, height, width }];
  const wanted = roundHalfEven(Math.sqrt((most * height) / width));
  const down = Math.max(1, Math.min(Math.floor(height / side), most, wanted));
  const across = Math.max(1, Math.min(Math.floor(width / side), Math.floor(most / down)));
  return starts(height, down, side).flatMap((top) =>
    starts(width, across, side).map((left) => ({
      top,
      left,
      height: Math.min(side, height - top),
      width: Math.min(side, width - left),
    })),
  );
}

// Spread squares over a side: in the middles of equal parts.
function starts(size, count, side) {
  return Array.from({ length: count }, (_, k) => {
    const start = Math.max(0, Math.trunc((size * (2 * k + 1)) / (2 * count) - side / 2));
    return Math.floor(start / STEP) * STEP;
  });
}

function roundHalfEven(value) {
  const below = Math.floor(value);
  const above = value - below > 0.5 || (value - below === 0.5 && below % 2 === 1);
  return above ? below + 1 : below;
}
