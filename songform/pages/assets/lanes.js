// Lanes above the curves: one row of blocks per level. Blocks with letters are buttons that play their part; the Tab
// key reaches one of them, and the arrow keys the others.

const lanes = (() => {
  const all = levels.all.map((level) => {
    return { level, box: byId(`lane-${level.name}`), inner: byId(`blocks-${level.name}`) };
  });

  const percent = (time) => `${(time / song.duration) * 100}%`;

  function block(level, number) {
    const { start, end, label } = level.parts[number];
    const element = document.createElement(level.hasLetters ? "button" : "div");
    element.className = "block";
    element.dataset.row = number;
    element.style.left = percent(start);
    element.style.width = percent(end - start);
    labels.applyColors(element, label, level);
    const name = document.createElement("span");
    name.textContent = label;
    element.append(name);
    if (level.hasLetters) nameButton(level, element);
    return element;
  }

  function nameButton(level, element) {
    const number = Number(element.dataset.row);
    const action = isEdited(level) ? "select" : player.canPlay ? "play" : "go there";
    element.type = "button";
    element.tabIndex = -1;
    element.setAttribute("aria-label", `${words.part(level, number)}, ${action}`);
    element.setAttribute("aria-description", level.facts(number).words);
  }

  const isEdited = (level) => song.isEditing && levels.edited === level;

  /** Hide names that do not fit into their block. The color, the hover label and the table still show the label. */
  function fit({ level, inner }) {
    const pixels = byId("overlay").clientWidth / (view.end() - view.start());
    for (const element of inner.children) {
      const { start, end, label } = level.parts[element.dataset.row] || { start: 0, end: 0, label: "" };
      const room = level.hasLetters ? 8 * Math.min(label.length, 4) + 6 : Math.min(7 * label.length, 40) + 14;
      element.classList.toggle("is-narrow", (end - start) * pixels < room);
    }
  }

  /** Move the existing blocks instead of drawing them again, while a boundary is dragged. */
  function move({ level, inner }) {
    [...inner.children].forEach((element, number) => {
      const { start, end } = level.parts[number];
      element.style.left = percent(start);
      element.style.width = percent(end - start);
    });
    fit({ level, inner });
    inner.drawn = null; // the blocks were moved without their parts
  }

  function draw(lane) {
    const { level, inner } = lane;
    const focused = document.activeElement?.closest(`#${inner.id} .block`)?.dataset.row;
    drawParts(inner, level, (number) => block(level, number));
    fit(lane);
    mark(lane);
    inner.children[focused]?.focus({ preventScroll: true });
  }

  /** Mark the selected part, the part that is played, and all parts with the marked label. */
  function mark({ level, box, inner }) {
    const now = level.at(song.time);
    box.classList.toggle("has-highlighted", levels.highlighted?.level === level);
    [...inner.children].forEach((element, number) => {
      element.classList.toggle("is-selected", isEdited(level) && number === level.selected);
      element.classList.toggle("is-looped", level === levels.shown && player.isLooping && number === now);
      if (level.hasLetters) markCurrent(element, number === now);
      element.classList.toggle("is-highlighted", levels.isHighlighted(level, level.parts[number]));
    });
    if (level.hasLetters && !box.contains(document.activeElement)) updateTabIndex(inner, now);
  }

  /** Let the Tab key reach one block only. */
  function updateTabIndex(inner, number) {
    for (const element of inner.children) element.tabIndex = Number(element.dataset.row) === number ? 0 : -1;
  }

  function choose(level, event) {
    const element = event.target.closest(".block");
    if (!element) return;
    const part = level.parts[element.dataset.row];
    if (!isEdited(level)) player.playPart(part);
    else player.seek(event.detail ? view.timeAt(event.clientX) : part.start, { isChosen: true }); // detail 0: a key
  }

  function moveFocus({ level, inner }, event) {
    const number = Number(event.target.closest(".block")?.dataset.row);
    const last = level.parts.length - 1;
    const target = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: last }[event.key];
    if (target === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    inner.children[Math.min(Math.max(0, target), last)].focus();
  }

  function listen(lane) {
    const { level, box, inner } = lane;
    if (!level.hasLetters) {
      box.addEventListener("click", ({ clientX }) => player.seek(view.timeAt(clientX), { isChosen: true }));
      return;
    }
    box.addEventListener("click", (event) => choose(level, event));
    box.addEventListener("keydown", (event) => moveFocus(lane, event));
    box.addEventListener("focusin", ({ target }) => {
      const { row } = target.dataset;
      updateTabIndex(inner, Number(row));
      if (target.matches(":focus-visible")) view.revealPart(level.parts[row]);
    });
  }

  function switchLetters() {
    for (const { level, box } of all) if (level.hasLetters) box.hidden = level !== levels.shown;
    all.forEach(fit);
  }

  /** Name the buttons again: in edit mode they select a part instead of playing it, and audio can fail to load. */
  function rename() {
    for (const { level, inner } of all) {
      if (level.hasLetters) for (const element of inner.children) nameButton(level, element);
    }
    all.forEach(mark);
  }

  all.forEach(listen);
  for (const name of ["here", "selected", "highlighted"]) signals.on(name, () => all.forEach(mark));
  for (const name of ["editing", "edited"]) signals.on(name, rename);
  byId("audio")?.addEventListener("error", rename);
  signals.on("view", () => all.forEach(fit));
  signals.on("shown", switchLetters);
  signals.on("moved", () => all.filter(({ level }) => level === levels.edited).forEach(move));
  signals.on("parts", () => all.forEach(draw)); // also of a level whose drag ends after another level was chosen

  return { draw: () => all.forEach(draw) };
})();
