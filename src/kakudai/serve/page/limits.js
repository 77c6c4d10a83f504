// What this server, or this browser, can do, and what it takes. Checked here before anything is sent.

import { Problem } from "./problems.js";
import { readHeader } from "./header.js";

const ENDINGS = { jpeg: ["jpg", "jpeg"], tiff: ["tif", "tiff"], heic: ["heic", "heif", "hif"] };
const NAMES = { webp: "WebP", jxl: "JPEG XL" };

/** Return the name of a format as people write it. */
export const nameOfFormat = (format) => NAMES[format] ?? format.toUpperCase();

/** Return what a file chooser shall offer. */
export function accepted(limits) {
  return limits.formats_in
    .flatMap((format) => [`image/${format}`, ...(ENDINGS[format] ?? [format]).map((ending) => `.${ending}`)])
    .join(",");
}

/**
 * Return {format, width, height} of a file that may be worked on; rejects with a Problem that says why not.
 *
 * A size of 0 means that only the server can find it.
 */
export async function checkFile(file, limits, words) {
  const formats = limits.formats_in.map(nameOfFormat).join(", ");
  if (!file.size) throw new Problem("file-empty");
  if (file.size > limits.bytes) {
    throw new Problem("file-too-large", { values: { size: words.bytes(file.size), limit: words.bytes(limits.bytes) } });
  }
  const header = await readHeader(file);
  if (!header || !limits.formats_in.includes(header.format))
    throw new Problem("file-not-picture", { values: { formats } });
  const { width, height } = header;
  if (Math.max(width, height) > limits.input_side || width * height > limits.input_pixels) {
    const values = {
      size: words.size([width, height]),
      limit: words.megapixels(limits.input_pixels),
      side: words.number(limits.input_side),
    };
    throw new Problem("file-too-many-pixels", { values });
  }
  return header;
}

/** Return what is wrong with the size of a result, as a Problem, or null. `side` is what the options make of it. */
export function checkResult([width, height], limits, words, scale) {
  if (width * height <= limits.output_pixels) return null;
  const values = { pixels: words.megapixels(width * height), limit: words.megapixels(limits.output_pixels) };
  if (!scale) return new Problem("result-too-large", { values });
  const most = Math.floor(10 * scale * Math.sqrt(limits.output_pixels / (width * height))) / 10;
  return new Problem("scale-too-large", { values: { ...values, scale: words.number(most, 1) } });
}
