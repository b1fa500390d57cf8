// The edit mode: which level is edited, its labels, and undo and redo.

const editor = (() => {
  const MOST_BUTTONS = 12; // for labels; the text field offers all of them
  const [panel, label] = [byId("editor"), byId("edit-label")];

  const part = () => levels.edited.parts[levels.edited.selected];

  function change(list, selected = levels.edited.selected, level = levels.edited) {
    if (!list || list === level.parts) return;
    level.past.push(level.parts);
    level.future = [];
    become(level, list, selected);
  }

  function become(level, list, selected) {
    level.parts = list;
    level.selected = Math.min(selected, list.length - 1);
    signals.emit("parts");
    signals.emit("selected");
  }

  function stepHistory(from, to) {
    const level = levels.edited;
    if (!level[from].length) return;
    level[to].push(level.parts);
    become(level, level[from].pop(), level.selected);
  }

  const undo = () => stepHistory("past", "future");
  const redo = () => stepHistory("future", "past");

  function split() {
    const { parts, at } = { parts: levels.edited.parts, at: levels.edited.at(song.time) };
    const time = edges.snapped(song.time, parts[at].start + 0.1, parts[at].end - 0.1, false);
    const list = edits.split(parts, at, time);
    if (list) change(list, at + 1);
    else say("Cannot split here: the playhead is less than 0.1 s from a boundary.");
  }

  function merge(offset) {
    const { parts, selected } = levels.edited;
    const first = Math.min(selected, selected + offset);
    if (first < 0 || first + 1 >= parts.length) return;
    change(edits.merged(parts, first, part().label), first);
  }

  function relabel(text) {
    change(edits.labelled(levels.edited.parts, levels.edited.selected, text));
    label.value = part().label;
  }

  /** Save the edited level. The names of the files of sections and phrases contain the name of their level. */
  function save(suffix, content, type) {
    const level = levels.edited;
    const name = `${song.key}${level.hasLetters ? `.${level.name}` : ""}${suffix}`;
    exporting.save(name, content, type);
    level.saved = level.parts;
    note();
    say(`Saved as ${name}. To import the labels, run songform annotate with this file.`);
  }

  function say(text) {
    byId("edit-note").textContent = text;
  }

  function note() {
    const unsaved = levels.all.filter((level) => level.isUnsaved).map(({ name }) => name);
    byId("edit-note").classList.toggle("is-unsaved", unsaved.length > 0);
    say(
      unsaved.length
        ? `Unsaved changes of ${unsaved.join(" and ")}. Save them to a file before you leave this page.`
        : "No unsaved changes.",
    );
  }

  function reflect() {
    const { parts, selected, noun, past, future } = levels.edited;
    const [from, to] = [part().start, part().end].map((time) => words.clock(time));
    byId("edit-which").textContent = `${noun} ${selected + 1} of ${parts.length}: ${from} to ${to}`;
    label.value = part().label;
    byId("edit-undo").disabled = !past.length;
    byId("edit-redo").disabled = !future.length;
    byId("edit-merge-before").disabled = selected === 0;
    byId("edit-merge-after").disabled = selected === parts.length - 1;
    for (const button of byId("edit-choices").children) {
      button.setAttribute("aria-pressed", String(button.dataset.label === part().label));
    }
  }

  function toggle() {
    song.isEditing = !song.isEditing;
    panel.hidden = !song.isEditing;
    byId("tracks").classList.toggle("is-editing", song.isEditing);
    byId("edit-button").setAttribute("aria-pressed", String(song.isEditing));
    if (song.isEditing && levels.edited.hasLetters) levels.show(levels.edited);
    levels.edited.selected = levels.edited.at(song.time);
    choices();
    reflect();
    signals.emit("editing");
  }

  function choices() {
    const names = levels.edited.choices();
    const shown = names.length > MOST_BUTTONS ? [...names.slice(0, MOST_BUTTONS - 1), names.at(-1)] : names;
    byId("edit-choices").replaceChildren(...shown.map(choice));
    byId("edit-choices").setAttribute("aria-label", levels.edited.hasLetters ? "Letters" : "States");
    byId("label-choices").replaceChildren(
      ...names.map((name) => Object.assign(document.createElement("option"), { value: name })),
    );
  }

  function choice(name, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = name;
    button.append(labels.swatch(name, levels.edited), name);
    if (index < 9) button.title = `Keyboard shortcut: ${index + 1}`;
    button.addEventListener("click", () => relabel(name));
    return button;
  }

  function switchLevel() {
    const level = levels.edited;
    level.selected = level.at(song.time);
    byId("tracks").dataset.edited = level.name;
    if (byId("edit-level")) byId("edit-level").value = level.name;
    choices();
    reflect();
  }

  byId("edit-level")?.addEventListener("change", ({ target }) => levels.edit(levels.named(target.value)));
  byId("edit-button").addEventListener("click", toggle);
  byId("edit-split").addEventListener("click", split);
  byId("edit-merge-before").addEventListener("click", () => merge(-1));
  byId("edit-merge-after").addEventListener("click", () => merge(1));
  byId("edit-undo").addEventListener("click", undo);
  byId("edit-redo").addEventListener("click", redo);
  byId("save-lab").addEventListener("click", () => save(".lab", exporting.lab(levels.edited.parts), "text/plain"));
  byId("save-jams").addEventListener("click", () => {
    save(".jams", exporting.jams(levels.edited.parts), "application/json");
  });
  label.addEventListener("change", () => relabel(label.value));
  signals.on("edited", switchLevel);
  signals.on("parts", () => {
    if (levels.edited.hasLetters) choices();
    note();
  });
  signals.on("selected", reflect);
  addEventListener("beforeunload", (event) => {
    if (levels.all.some((level) => level.isUnsaved)) event.preventDefault();
  });

  return {
    change,
    say,
    toggle,
    split,
    merge,
    undo,
    redo,
    choose(index) {
      const name = levels.edited.choices()[index];
      if (name) relabel(name);
    },
  };
})();
