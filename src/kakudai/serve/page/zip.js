// A ZIP archive without compression: pictures are compressed already.

import { crc32 } from "./browser/crc32.js";

const LARGEST = 2 ** 32 - 2 ** 20; // bytes of files: what a ZIP of 32 bits can count, less the names

/** Say whether files fit into one archive. */
export const fitsZip = (files) => files.reduce((sum, { blob }) => sum + blob.size, 0) < LARGEST;

/** Return names of which no two are equal, whatever the case: a second "cat.png" becomes "cat (2).png". */
export function uniqueNames(names) {
  const taken = new Set();
  return names.map((name) => {
    const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let free = name;
    for (let number = 2; taken.has(free.toLowerCase()); number += 1) free = `${stem} (${number})${ending ?? ""}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

/**
 * Return a ZIP archive of files.
 *
 * @param {{name: string, blob: Blob}[]} files At most 65,535 that fit, see `fitsZip`.
 * @param {Date} date Of all files.
 */
export async function makeZip(files, date = new Date()) {
  const parts = [];
  const directory = [];
  const names = uniqueNames(files.map((file) => file.name));
  let offset = 0;
  for (const [index, { blob }] of files.entries()) {
    const name = new TextEncoder().encode(names[index]);
    const fields = [
      20,
      0x0800,
      0,
      ...dosTime(date),
      crc32(new Uint8Array(await blob.arrayBuffer())),
      blob.size,
      blob.size,
      name.length,
      0,
    ];
    const head = record("I" + "HHHHHIIIHH", [0x04034b50, ...fields]);
    directory.push(record("I" + "HHHHHHIIIHHHHHII", [0x02014b50, 20, ...fields, 0, 0, 0, 0, offset]), name);
    parts.push(head, name, blob);
    offset += head.length + name.length + blob.size;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = record("IHHHHIIH", [0x06054b50, 0, 0, files.length, files.length, length, offset, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  return [time, (Math.max(0, date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate()];
}

/** Pack numbers in little-endian order: I takes four bytes, H two. */
function record(layout, values) {
  const widths = [...layout].map((letter) => (letter === "I" ? 4 : 2));
  const view = new DataView(new ArrayBuffer(widths.reduce((sum, width) => sum + width, 0)));
  let at = 0;
  for (const [index, width] of widths.entries()) {
    if (width === 4) view.setUint32(at, values[index], true);
    else view.setUint16(at, values[index], true);
    at += width;
  }
  return new Uint8Array(view.buffer);
}
