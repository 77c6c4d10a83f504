// Where a picture stands on the stage: zoom and place, by wheel, fingers, mouse and keys.

const MARGIN = 20; // CSS pixels left free around a picture that is fitted in
const FOOT = 72; // and below it, for the tools
const LARGEST = 16; // device pixels per pixel of the result
const STEP = 48; // CSS pixels that an arrow key moves the picture

/**
 * Return the viewport of a stage. `changed()` is called after each change.
 *
 * zoom: CSS pixels per pixel of the result. x, y: CSS pixels from the stage's corner to the picture's.
 */
export function createViewport(stage, changed) {
  const view = { zoom: 1, x: 0, y: 0, width: 0, height: 0, fitted: true };
  const room = () => ({ width: stage.clientWidth, height: stage.clientHeight });
  const density = () => window.devicePixelRatio || 1;

  function fitting() {
    const { width, height } = room();
    const most = Math.min((width - 2 * MARGIN) / view.width, (height - MARGIN - FOOT) / view.height);
    const exact = 1 / density();
    return most < exact ? most : exact * Math.max(1, Math.floor(most / exact)); // small pictures: whole multiples
  }

  function settle() {
    const { width, height } = room();
    const place = (value, size, space, foot) => {
      const extent = size * view.zoom;
      if (extent <= space - foot) return (space - foot - extent) / 2;
      return Math.min(MARGIN, Math.max(space - foot - extent, value));
    };
    const snap = (value) => Math.round(value * density()) / density(); // exact pixels stay exact
    view.x = snap(place(view.x, view.width, width, 0));
    view.y = snap(place(view.y, view.height, height, FOOT - MARGIN));
    changed();
  }

  const api = {
    state: view,
    /** Show a picture of a size in pixels; the same size stays where it is. */
    show(width, height) {
      if (view.width === width && view.height === height) return;
      const factor = view.width && Math.abs(width / height - view.width / view.height) < 0.02 ? width / view.width : 0;
      Object.assign(view, { width, height });
      if (view.fitted || !factor) api.fit();
      else api.zoomTo(view.zoom / factor);
    },
    fit() {
      view.zoom = fitting();
      view.fitted = true;
      settle();
    },
    /** Zoom around a point of the stage, by default its middle. */
    zoomTo(zoom, at = { x: room().width / 2, y: room().height / 2 }) {
      const least = Math.min(fitting(), 1 / density());
      const next = Math.min(Math.max(zoom, least), LARGEST / density());
      view.x = at.x - ((at.x - view.x) * next) / view.zoom;
      view.y = at.y - ((at.y - view.y) * next) / view.zoom;
      view.zoom = next;
      view.fitted = Math.abs(next - fitting()) < 1e-6;
      settle();
    },
    /** Show one pixel of the result on one of the screen. */
    exact: () => api.zoomTo(1 / density()),
    step: (direction) => api.zoomTo(nextStep(view.zoom * density(), direction) / density()),
    move(dx, dy) {
      view.x += dx;
      view.y += dy;
      settle();
    },
    /** Return the picture's left and right edge on the stage, in CSS pixels. */
    span() {
      const { width } = room();
      return { left: Math.max(0, view.x), right: Math.min(width, view.x + view.width * view.zoom) };
    },
    percent: () => Math.round(view.zoom * density() * 100),
    movable: () => view.width * view.zoom > room().width + 1 || view.height * view.zoom > room().height + 1,
  };
  new ResizeObserver(() => {
    if (view.width) {
      if (view.fitted) api.fit();
      else settle();
    }
  }).observe(stage);
  return api;
}

/** Return the next of 1, 2, 4, ... and 1/2, 1/4, ... from a zoom. */
function nextStep(zoom, direction) {
  const power = Math.log2(zoom);
  const near = Math.abs(power - Math.round(power)) < 1e-6;
  return (
    2 **
    (direction > 0
      ? near
        ? Math.round(power) + 1
        : Math.ceil(power)
      : near
        ? Math.round(power) - 1
        : Math.floor(power))
  );
}

/** Let wheel, fingers and keys move the viewport; a drag over a picture that need not move goes to `slide(x)`. */
export function watchGestures(stage, viewport, slide) {
  const pointers = new Map();
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  stage.addEventListener(
    "wheel",
    (event) => {
      const scrolls = document.documentElement.scrollHeight > innerHeight + 1;
      if (scrolls && !event.ctrlKey) return;
      event.preventDefault();
      viewport.zoomTo(viewport.state.zoom * 2 ** (-event.deltaY / (event.ctrlKey ? 120 : 360)), at(event));
    },
    { passive: false },
  );
  stage.addEventListener("dblclick", (event) => {
    if (viewport.state.fitted) viewport.zoomTo(1 / devicePixelRatio, at(event));
    else viewport.fit();
  });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
  });
  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (pointers.size === 2) pinch(viewport, pointers, event.pointerId, now);
    else if (viewport.movable()) viewport.move(now.x - before.x, now.y - before.y);
    else slide(now.x);
    pointers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"])
    stage.addEventListener(name, (event) => pointers.delete(event.pointerId));
  stage.addEventListener("keydown", (event) => {
    if (press(viewport, event.key)) event.preventDefault();
  });
}

function pinch(viewport, pointers, moved, now) {
  const [still] = [...pointers].filter(([id]) => id !== moved).map(([, place]) => place);
  const before = pointers.get(moved);
  const distance = (place) => Math.hypot(place.x - still.x, place.y - still.y) || 1;
  viewport.move((now.x - before.x) / 2, (now.y - before.y) / 2);
  viewport.zoomTo((viewport.state.zoom * distance(now)) / distance(before), {
    x: (now.x + still.x) / 2,
    y: (now.y + still.y) / 2,
  });
}

function press(viewport, key) {
  const actions = {
    "+": () => viewport.step(1),
    "=": () => viewport.step(1),
    "-": () => viewport.step(-1),
    0: () => viewport.fit(),
    1: () => viewport.exact(),
    ArrowLeft: () => viewport.move(STEP, 0),
    ArrowRight: () => viewport.move(-STEP, 0),
    ArrowUp: () => viewport.move(0, STEP),
    ArrowDown: () => viewport.move(0, -STEP),
  };
  actions[key]?.();
  return key in actions;
}
