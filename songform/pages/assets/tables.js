// Tables of the parts, one per level. A click on a row plays from there. The page contains the first version of each.

const tables = (() => {
  const all = levels.all.map((level) => {
    return { level, list: byId(`list-${level.name}`), rows: byId(`rows-${level.name}`) };
  });

  function cell(tag, content, className = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...[content].flat());
    return element;
  }

  function row(level, number) {
    const { start, end, label, confidence } = level.parts[number];
    const element = document.createElement("tr");
    element.dataset.row = number;
    const from = cell("button", words.clock(start), "from");
    from.type = "button";
    from.setAttribute("aria-label", `Play from ${words.clock(start)}`);
    const meter = cell("span", "", "meter");
    meter.style.setProperty("--share", confidence || 0);
    meter.hidden = confidence === null;
    const head = cell("th", String(number + 1), "number");
    head.scope = "row";
    const times = [cell("td", words.clock(end), "end"), cell("td", words.clock(end - start), "length")];
    const name = cell("td", [labels.swatch(label, level), label], "label");
    const sure = cell("td", [meter, words.percent(confidence)], "sure");
    element.append(head, cell("td", from), ...times, name, ...facts(level, number), sure);
    return element;
  }

  function facts(level, number) {
    if (!level.hasLetters) return [];
    const { occurrence, words: others } = level.facts(number);
    return [cell("td", occurrence, "occurrence"), cell("td", others, "facts")];
  }

  function draw({ level, rows }) {
    const focused = document.activeElement?.closest(`#${rows.id} tr`)?.dataset.row;
    drawParts(rows, level, (number) => row(level, number));
    const count = byId(`count-${level.name}`);
    if (count) count.textContent = words.counted(level.parts.length, level.noun);
    rows.children[focused]?.querySelector("button").focus({ preventScroll: true });
  }

  /** Mark the part at the playhead, and all parts with the marked label. */
  function mark({ level, rows }) {
    const now = level.at(song.time);
    [...rows.children].forEach((element, number) => {
      markCurrent(element, number === now);
      element.classList.toggle("is-highlighted", levels.isHighlighted(level, level.parts[number]));
    });
  }

  function listen({ level, rows }) {
    rows.addEventListener("click", ({ target }) => {
      const element = target.closest("tr");
      if (!element) return;
      player.seek(level.parts[element.dataset.row].start, { isChosen: true });
      player.play();
    });
  }

  function switchLetters() {
    for (const { level, list } of all) if (level.hasLetters) list.hidden = level !== levels.shown;
  }

  all.forEach(listen);
  for (const name of ["here", "selected", "editing", "highlighted"]) signals.on(name, () => all.forEach(mark));
  signals.on("shown", switchLetters);
  signals.on("parts", () => {
    for (const table of all) {
      draw(table);
      mark(table);
    }
  });
  switchLetters();
})();
