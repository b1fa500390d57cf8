// Three views of the segments: blocks above the curves, a ribbon of the whole song in the player, and a table.

const segments = (() => {
  const [lane, rows] = [byId("lane-inner"), byId("rows")];

  const percent = (time) => `${(time / song.duration) * 100}%`;

  function block({ start, end, label }, number) {
    const element = document.createElement("div");
    element.className = "block";
    element.dataset.row = number;
    element.style.left = percent(start);
    element.style.width = percent(end - start);
    labels.dress(element, label);
    const name = document.createElement("span");
    name.textContent = label;
    element.append(name);
    return element;
  }

  function cell(tag, content, className = "") {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...[content].flat());
    return element;
  }

  function row({ start, end, label, confidence }, number) {
    const element = document.createElement("tr");
    element.dataset.row = number;
    const from = cell("button", words.clock(start), "from");
    from.type = "button";
    from.setAttribute("aria-label", `Play from ${words.clock(start)}`);
    const swatch = cell("span", "", "swatch");
    labels.dress(swatch, label);
    const meter = cell("span", "", "meter");
    meter.style.setProperty("--share", confidence || 0);
    meter.hidden = confidence === null;
    const head = cell("th", String(number + 1));
    head.scope = "row";
    const times = [words.clock(end), words.clock(end - start)].map((time) => cell("td", time));
    const sure = cell("td", [meter, words.percent(confidence)], "sure");
    element.append(head, cell("td", from), ...times, cell("td", [swatch, label], "label"), sure);
    return element;
  }

  function ribbon() {
    const stops = song.segments.map(
      ({ start, end, label }) => `${labels.color(label)} ${percent(start)} ${percent(end)}`,
    );
    byId("ribbon-colors").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  }

  function window_() {
    const isWhole = view.end() - view.start() > song.duration * 0.999;
    const box = byId("ribbon-view");
    box.hidden = isWhole;
    box.style.left = percent(view.start());
    box.style.width = percent(view.end() - view.start());
    fit();
  }

  /** Hide names that do not fit into their block. The color, the hover label and the table still show the state. */
  function fit() {
    const pixels = byId("overlay").clientWidth / (view.end() - view.start());
    const room = (song.duration / song.segments.length) * pixels;
    byId("edges").classList.toggle("is-dense", room < (song.isEditing ? 36 : 14)); // handles need more space than lines
    for (const element of lane.children) {
      const { start, end, label } = song.segments[element.dataset.row] || { start: 0, end: 0, label: "" };
      element.classList.toggle("is-narrow", (end - start) * pixels < Math.min(7 * label.length, 40) + 14);
    }
  }

  /** Move the existing blocks instead of redrawing them, while a boundary is dragged. */
  function move() {
    [...lane.children].forEach((element, number) => {
      const { start, end } = song.segments[number];
      element.style.left = percent(start);
      element.style.width = percent(end - start);
    });
    ribbon();
    fit();
  }

  function draw() {
    lane.replaceChildren(...song.segments.map(block));
    ribbon();
    window_();
    mark();
  }

  function tabulate() {
    const focused = document.activeElement?.closest("#rows tr")?.dataset.row;
    rows.replaceChildren(...song.segments.map(row));
    byId("count").textContent = words.counted(song.segments.length, "segment");
    rows.children[focused]?.querySelector("button").focus();
  }

  /** Mark the segment at the playhead and the selected segment. */
  function mark() {
    const now = song.at(song.time);
    [...rows.children].forEach((element, number) => {
      if (number === now) element.setAttribute("aria-current", "true");
      else element.removeAttribute("aria-current");
    });
    [...lane.children].forEach((element, number) => {
      element.classList.toggle("is-selected", song.isEditing && number === song.selected);
    });
  }

  rows.addEventListener("click", ({ target }) => {
    const element = target.closest("tr");
    if (!element) return;
    player.seek(song.segments[element.dataset.row].start, { isChosen: true });
    player.play();
  });
  byId("lane").addEventListener("click", ({ clientX }) => player.seek(view.timeAt(clientX), { isChosen: true }));
  for (const name of ["segment", "selected", "editing"]) signals.on(name, mark);
  signals.on("editing", fit);
  signals.on("view", window_);
  signals.on("moved", move);
  signals.on("segments", () => {
    tabulate();
    draw();
  });
  theme.onChange(ribbon);

  return { draw };
})();
