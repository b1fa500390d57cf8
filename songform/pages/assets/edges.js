// Boundaries of the edited level, or of the states outside edit mode: lines through the curves, which can be dragged in
// edit mode. They snap to bar lines unless this is switched off, or Alt or Ctrl is held.

const edges = (() => {
  const container = byId("edges");
  const MIN_DRAG_PIXELS = 3; // so that a click without a movement does not snap
  const MODIFIERS = new Set(["Alt", "AltGraph", "Control", "Meta", "Shift"]); // keys that may be held while dragging
  let isQueued = false;
  let drawn = null; // level and parts whose boundaries are drawn

  const level = () => (song.isEditing ? levels.edited : levels.states);

  /** Return the time to which a boundary is moved, between two times. */
  function snapped(time, low, high, isFree) {
    return isFree || !edges.isSnapping() ? time : bars.nearest(time, low, high);
  }

  /** Draw the boundaries. Each has the number of the part that it precedes. */
  function draw() {
    const focused = document.activeElement?.closest(".edge")?.dataset.edge;
    const { parts } = level();
    const isSameMode = drawn?.level === level() && drawn.isEditing === song.isEditing;
    const before = isSameMode && drawn.parts.length === parts.length ? drawn.parts : null;
    drawn = { level: level(), isEditing: song.isEditing, parts };
    if (!before) container.replaceChildren(...parts.slice(1).map((part, index) => edge(part, index + 1)));
    else parts.slice(1).forEach((part, index) => {
      if (part === before[index + 1] && parts[index] === before[index]) return;
      container.children[index].replaceWith(edge(part, index + 1));
    });
    fit();
    if (focused) container.querySelector(`[data-edge="${focused}"]`)?.focus({ preventScroll: true });
  }

  const percent = (time) => `${(time / song.duration) * 100}%`;

  function edge({ start }, number) {
    const element = document.createElement("div");
    element.className = "edge";
    element.dataset.edge = number;
    element.style.left = percent(start);
    if (song.isEditing) describe(element, number);
    return element;
  }

  function describe(element, number) {
    const { parts } = level();
    const [before, after] = [parts[number - 1], parts[number]];
    const facts = {
      role: "slider",
      "aria-label": `Boundary between ${before.label} and ${after.label}`,
      "aria-valuemin": before.start,
      "aria-valuemax": after.end,
      "aria-valuenow": after.start,
      "aria-valuetext": words.clock(after.start),
    };
    Object.entries(facts).forEach(([name, value]) => element.setAttribute(name, value));
    updateTabIndex(element, number);
  }

  /** Let the Tab key reach the boundaries of the selected part. If boundaries are dense, only these are shown. */
  function updateTabIndex(element, number) {
    const { selected } = level();
    const isNear = number === selected || number === selected + 1;
    element.tabIndex = isNear ? 0 : -1;
    element.classList.toggle("is-near", isNear);
  }

  function fit() {
    const pixels = byId("overlay").clientWidth / (view.end() - view.start());
    const room = (song.duration / level().parts.length) * pixels;
    container.classList.toggle("is-dense", room < (song.isEditing ? 36 : 14)); // handles need more space than lines
  }

  /**
   * Let a boundary follow the pointer. Keys and other pointers end the drag before they act, so that an edit never
   * starts from parts that are only shown while dragging. The drag also ends if the element is removed.
   */
  function startDrag(event) {
    const element = event.target.closest(".edge");
    if (!song.isEditing || !element || event.button > 0) return;
    event.preventDefault();
    const edited = level();
    const number = Number(element.dataset.edge);
    const before = edited.parts;
    const [low, high] = edits.bounds(before, number);
    const listening = new AbortController();
    const { signal } = listening;
    let isDragged = false;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });

    const drag = ({ clientX, altKey, ctrlKey }) => {
      isDragged ||= Math.abs(clientX - event.clientX) >= MIN_DRAG_PIXELS;
      if (!isDragged) return;
      const time = snapped(view.timeAt(clientX), low, high, altKey || ctrlKey);
      edited.parts = edits.moved(edited.parts, number, time);
      element.style.left = percent(edited.parts[number].start);
      if (isQueued) return;
      isQueued = true;
      requestAnimationFrame(() => {
        isQueued = false;
        if (signal.aborted) return;
        describe(element, number);
        editor.say(`Boundary at ${place(edited.parts[number].start)}`);
        signals.emit("moved");
      });
    };
    const end = (list) => {
      listening.abort();
      edited.parts = before;
      drawn = null; // the dragged element was moved without its part
      if (list === before) signals.emit("parts");
      else editor.change(list, edited.selected, edited);
    };
    const commit = () => end(edited.parts);
    element.addEventListener("pointermove", drag, { signal });
    element.addEventListener("pointerup", commit, { signal });
    element.addEventListener("pointercancel", () => end(before), { signal });
    // If the element was removed, the document gets this event instead of the element.
    document.addEventListener("lostpointercapture", commit, { signal });
    addEventListener("pointerdown", commit, { signal, capture: true });
    addEventListener("keydown", ({ key }) => MODIFIERS.has(key) || commit(), { signal, capture: true });
  }

  /** Return a time and, if a bar begins there, the number of that bar. */
  function place(time) {
    const isBar = bars.nearest(time) === time && bars.numberAt(time) !== null;
    return isBar ? `${words.clock(time)}, bar ${bars.numberAt(time)}` : words.clock(time);
  }

  function nudge(event) {
    const element = event.target.closest(".edge");
    if (!element || event.ctrlKey || event.altKey || event.metaKey) return;
    const { parts } = level();
    const number = Number(element.dataset.edge);
    const { start } = parts[number];
    const step = event.shiftKey ? 1 : 0.1;
    const time = {
      ArrowLeft: start - step,
      ArrowDown: start - step,
      ArrowRight: start + step,
      ArrowUp: start + step,
      PageDown: bars.next(start, -1),
      PageUp: bars.next(start, 1),
    }[event.key];
    if (time === undefined) return;
    event.preventDefault();
    editor.change(edits.moved(parts, number, time));
  }

  container.addEventListener("pointerdown", startDrag);
  container.addEventListener("keydown", nudge);
  for (const name of ["parts", "editing", "edited"]) signals.on(name, draw);
  signals.on("view", fit);
  signals.on("selected", () => {
    if (!song.isEditing) return;
    for (const element of container.children) updateTabIndex(element, Number(element.dataset.edge));
  });

  return {
    draw,
    snapped,
    /** Tell whether boundaries snap to bar lines. Without bar lines there is no such choice. */
    isSnapping: () => Boolean(byId("edit-snap")?.checked),
  };
})();
