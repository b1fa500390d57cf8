// The edit mode: boundaries that can be dragged, labels, and undo and redo.

const editor = (() => {
  const [panel, edges, label] = [byId("editor"), byId("edges"), byId("edit-label")];
  const history = { past: [], future: [] };
  let saved = song.segments;
  let isQueued = false;

  const isUnsaved = () => song.segments !== saved;

  function change(list, selected = song.selected) {
    if (!list || list === song.segments) return;
    history.past.push(song.segments);
    history.future = [];
    become(list, selected);
  }

  function become(list, selected) {
    song.segments = list;
    song.selected = Math.min(selected, list.length - 1);
    signals.emit("segments");
    signals.emit("selected");
  }

  function travel(from, to) {
    if (!from.length) return;
    to.push(song.segments);
    become(from.pop(), song.selected);
  }

  const undo = () => travel(history.past, history.future);
  const redo = () => travel(history.future, history.past);

  function split() {
    const number = song.at(song.time);
    const list = edits.split(song.segments, number, song.time);
    if (list) change(list, number + 1);
    else say("Cannot split here: the playhead is less than 0.1 s from a boundary.");
  }

  function merge(offset) {
    const first = Math.min(song.selected, song.selected + offset);
    if (first < 0 || first + 1 >= song.segments.length) return;
    change(edits.merged(song.segments, first, song.segments[song.selected].label), first);
  }

  function relabel(text) {
    change(edits.labelled(song.segments, song.selected, text));
    label.value = song.segments[song.selected].label;
  }

  function save(suffix, content, type) {
    exporting.save(`${song.key}${suffix}`, content, type);
    saved = song.segments;
    note();
    say(`Saved as ${song.key}${suffix}. To import the labels, run songform annotate with this file.`);
  }

  function say(text) {
    byId("edit-note").textContent = text;
  }

  function note() {
    byId("edit-note").classList.toggle("is-unsaved", isUnsaved());
    say(isUnsaved() ? "Unsaved changes. Save them to a file before you leave this page." : "No unsaved changes.");
  }

  /** Draw the boundaries. Each has the number of the segment that it precedes. */
  function drawEdges() {
    const focused = document.activeElement?.closest(".edge")?.dataset.edge;
    edges.replaceChildren(...song.segments.slice(1).map((segment, index) => edge(segment, index + 1)));
    if (focused) edges.querySelector(`[data-edge="${focused}"]`)?.focus();
  }

  function edge({ start }, number) {
    const element = document.createElement("div");
    element.className = "edge";
    element.dataset.edge = number;
    element.style.left = `${(start / song.duration) * 100}%`;
    if (song.isEditing) describe(element, number);
    return element;
  }

  function describe(element, number) {
    const [before, after] = [song.segments[number - 1], song.segments[number]];
    const facts = {
      role: "slider",
      "aria-label": `Boundary between ${before.label} and ${after.label}`,
      "aria-valuemin": before.start,
      "aria-valuemax": after.end,
      "aria-valuenow": after.start,
      "aria-valuetext": words.clock(after.start),
    };
    Object.entries(facts).forEach(([name, value]) => element.setAttribute(name, value));
    const isNear = number === song.selected || number === song.selected + 1;
    element.tabIndex = isNear ? 0 : -1;
    element.classList.toggle("is-near", isNear); // if boundaries are dense, only these are shown
  }

  function grasp(event) {
    const element = event.target.closest(".edge");
    if (!song.isEditing || !element || event.button > 0) return;
    event.preventDefault();
    const number = Number(element.dataset.edge);
    const before = song.segments;
    element.setPointerCapture(event.pointerId);
    element.focus();

    const drag = ({ clientX }) => {
      song.segments = edits.moved(song.segments, number, view.timeAt(clientX));
      element.style.left = `${(song.segments[number].start / song.duration) * 100}%`;
      if (isQueued) return;
      isQueued = true;
      requestAnimationFrame(() => {
        isQueued = false;
        describe(element, number);
        say(`Boundary at ${words.clock(song.segments[number].start)}`);
        signals.emit("moved");
      });
    };
    const drop = ({ type }) => {
      element.removeEventListener("pointermove", drag);
      element.removeEventListener("pointerup", drop);
      element.removeEventListener("pointercancel", drop);
      const list = type === "pointerup" ? song.segments : before;
      song.segments = before;
      if (list === before) signals.emit("segments");
      else change(list);
    };
    element.addEventListener("pointermove", drag);
    element.addEventListener("pointerup", drop);
    element.addEventListener("pointercancel", drop);
  }

  function nudge(event) {
    const element = event.target.closest(".edge");
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!element || !direction || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const number = Number(element.dataset.edge);
    const time = song.segments[number].start + direction * (event.shiftKey ? 1 : 0.1);
    change(edits.moved(song.segments, number, time));
  }

  function reflect() {
    const segment = song.segments[song.selected];
    const [from, to] = [segment.start, segment.end].map((time) => words.clock(time));
    byId("edit-which").textContent = `segment ${song.selected + 1} of ${song.segments.length}: ${from} to ${to}`;
    label.value = segment.label;
    byId("edit-undo").disabled = !history.past.length;
    byId("edit-redo").disabled = !history.future.length;
    byId("edit-merge-before").disabled = song.selected === 0;
    byId("edit-merge-after").disabled = song.selected === song.segments.length - 1;
    for (const button of byId("edit-states").children) {
      button.setAttribute("aria-pressed", String(button.dataset.label === segment.label));
    }
  }

  function toggle() {
    song.isEditing = !song.isEditing;
    panel.hidden = !song.isEditing;
    byId("tracks").classList.toggle("is-editing", song.isEditing);
    byId("edit-button").setAttribute("aria-pressed", String(song.isEditing));
    song.selected = song.at(song.time);
    drawEdges();
    reflect();
    signals.emit("editing");
  }

  function choices() {
    const buttons = data.states.map(({ name }, index) => {
      const button = document.createElement("button");
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      labels.dress(swatch, name);
      button.type = "button";
      button.dataset.label = name;
      button.append(swatch, name);
      if (index < 9) button.title = `Keyboard shortcut: ${index + 1}`;
      button.addEventListener("click", () => relabel(name));
      return button;
    });
    byId("edit-states").replaceChildren(...buttons);
    byId("label-choices").replaceChildren(
      ...data.states.map(({ name }) => Object.assign(document.createElement("option"), { value: name })),
    );
  }

  choices();
  byId("edit-button").addEventListener("click", toggle);
  byId("edit-split").addEventListener("click", split);
  byId("edit-merge-before").addEventListener("click", () => merge(-1));
  byId("edit-merge-after").addEventListener("click", () => merge(1));
  byId("edit-undo").addEventListener("click", undo);
  byId("edit-redo").addEventListener("click", redo);
  byId("save-lab").addEventListener("click", () => save(".lab", exporting.lab(song.segments), "text/plain"));
  byId("save-jams").addEventListener("click", () => save(".jams", exporting.jams(song.segments), "application/json"));
  label.addEventListener("change", () => relabel(label.value));
  edges.addEventListener("pointerdown", grasp);
  edges.addEventListener("keydown", nudge);
  signals.on("segments", () => {
    drawEdges();
    note();
  });
  signals.on("selected", () => {
    if (song.isEditing) [...edges.children].forEach((element) => describe(element, Number(element.dataset.edge)));
    reflect();
  });
  addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
  });

  return {
    drawEdges,
    toggle,
    split,
    merge,
    undo,
    redo,
    choose: (index) => data.states[index] && relabel(data.states[index].name),
  };
})();
