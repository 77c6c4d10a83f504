// What cannot be done, in words: the fields of the server's problem documents that people read.

export class Problem extends Error {
  constructor(title, detail, hint) {
    super(`${title}: ${detail}`);
    this.title = title;
    this.detail = detail;
    this.hint = hint;
  }
}
