// What went wrong, in the visitor's words: what happened, and what to do.

/** Problem types by the titles of the engine here, which tells the rest in English. */
const TYPES = {
  "Not in this browser": "no-engine",
  "Not a picture": "not-shown",
  "Out of memory": "out-of-memory",
  "Wrong result": "cannot-enlarge",
  "Too large for the browser": "too-large-result",
  "Scale out of range": "not-possible",
  "Region outside": "not-possible",
  "Unknown model": "not-possible",
  "Nothing removes noise": "not-possible",
  "Nothing to do": "not-possible",
};

/** A problem that is told to the visitor. `type` is a problem type of the API, or one of the page's own. */
export class Problem extends Error {
  constructor(type, { title = "", detail = "", hint = "", status = 0, retryAfter = 0, values = {} } = {}) {
    super(detail || title || type);
    Object.assign(this, { type: type.replace(/^.*\/problems\//, ""), title, detail, hint, status, retryAfter, values });
  }
}

/** Return the Problem that an answer of the server stands for. */
export async function problemOf(answer) {
  const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
  const body = /json/.test(answer.headers.get("Content-Type") ?? "") ? await answer.json().catch(() => ({})) : {};
  return problemFrom({ status: answer.status, ...body }, retryAfter);
}

/** Return a Problem from a problem document. */
export function problemFrom(body, retryAfter = 0) {
  return new Problem(body.type ?? `status-${body.status}`, { ...body, retryAfter });
}

/**
 * Return {detail, hint} in the visitor's language.
 *
 * In English the server's own words are taken, which name the values; in other languages those of the language file.
 */
export function explain(problem, words) {
  const { type, values } = problem;
  const own = problem.detail && words.language === "en";
  if (!own && words.has(`problem.${type}`)) {
    return { detail: words.say(`problem.${type}`, values), hint: words.say(`problem.${type}.hint`, values) };
  }
  const hint = problem.hint || (problem.status >= 500 ? words.say("problem.internal.hint") : "");
  return { detail: sentence(problem.detail || problem.title || words.say("problem.internal")), hint: sentence(hint) };
}

/** Write what a program says as a sentence. */
export function sentence(text) {
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?。]$/.test(text) ? "" : ".");
}

/** Say whether an error only means that the visitor has stopped something. */
export function isAbort(error) {
  return error?.name === "AbortError";
}

/** Return any error as a Problem. A TypeError of fetch means that no server answered. */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) return new Problem("no-answer");
  return new Problem(TYPES[error?.title] ?? "unnamed", {
    detail: error?.detail ?? error?.title ?? String(error?.message ?? error),
    hint: error?.hint ?? "",
  });
}
