// The curves, drawn by Bokeh: their visible time range and their colors.

const view = (() => {
  const MS = 1000;
  const overlay = byId("overlay");
  const tracks = byId("tracks");
  let bokeh = null; // Bokeh's document, after drawing
  let range = null;

  async function draw() {
    const { document: json, roots } = data.figures;
    const elements = Object.fromEntries(Object.entries(roots).map(([name, id]) => [id, byId(`plot-${name}`)]));
    const item = { docid: "song", root_ids: Object.keys(elements), roots: elements, notebook_comms_target: null };
    await Bokeh.embed.embed_items({ song: json }, [item]);
    [bokeh] = Bokeh.documents;
    range = bokeh.get_model_by_name("view");
    range.properties.start.change.connect(seen);
    range.properties.end.change.connect(seen);
    // Bokeh reports the second of two clicks within 0.3 s as a double tap, even at another position. Both must seek.
    for (const figure of bokeh.roots()) {
      for (const name of ["tap", "doubletap"]) {
        figure.on_event(name, ({ x }) => player.seek(x / MS, { isChosen: true }));
      }
    }
    adaptInteractions();
    paint();
    seen();
  }

  /**
   * Adapt Bokeh's interactions. The Tab key skips the canvases, because they have text descriptions. Swiping and the
   * wheel scroll the page. No hint about zooming with Ctrl pops up.
   */
  function adaptInteractions() {
    for (const root of bokeh.roots()) {
      const figure = Bokeh.index.find_one(root);
      const events = figure.canvas_view.events_el;
      events.tabIndex = -1;
      events.style.touchAction = "pan-y";
      figure.notify_about = () => {};
    }
  }

  function paint() {
    if (!bokeh) return;
    const [ground, ink] = [theme.color("--ground"), theme.color("--ink")];
    const soft = theme.color("--soft");
    for (const figure of bokeh.roots()) {
      for (const axis of [...figure.below, ...figure.left]) axis.major_label_text_color = soft;
      for (const grid of figure.center) grid.grid_line_color = ink;
      for (const { glyph, name } of figure.renderers) {
        if (name === "ground") glyph.fill_color = ground;
        else if (name === "fill") glyph.fill_color = ink;
        else if (name === "line") glyph.line_color = ink;
        else if (name?.startsWith("state-")) glyph.fill_color = stateColor(name.slice("state-".length));
      }
    }
    bokeh.get_model_by_name("mfcc-colors").palette = data.palettes[theme.isDark() ? "dark" : "light"];
    bands();
  }

  const stateColor = (number) => labels.color(data.states[number].name, levels.states);

  function bands() {
    if (!bokeh) return;
    const { parts } = levels.states;
    bokeh.get_model_by_name("bands").data = {
      left: parts.map(({ start }) => start * MS),
      right: parts.map(({ end }) => end * MS),
      color: parts.map(({ label }) => labels.color(label, levels.states)),
    };
  }

  function start() {
    return range ? range.start / MS : 0;
  }

  function end() {
    return range ? range.end / MS : song.duration;
  }

  /** Align the HTML overlays with the visible time range of the curves. */
  function seen() {
    const length = end() - start();
    for (const inner of tracks.querySelectorAll(".on-axis")) {
      inner.style.left = `${(-start() / length) * 100}%`;
      inner.style.width = `${(song.duration / length) * 100}%`;
    }
    signals.emit("view");
  }

  /** Show a time range, clipped to the song. */
  function show(from, length) {
    const span = Math.min(song.duration, Math.max(length, range.min_interval / MS));
    const first = Math.min(Math.max(0, from), song.duration - span);
    range.setv({ start: first * MS, end: (first + span) * MS });
  }

  /** Zoom around the playhead if it is visible, otherwise around the center. */
  function zoom(factor) {
    const [from, length] = [start(), end() - start()];
    const still = isSeen(song.time) ? song.time : from + length / 2;
    show(still - (still - from) * factor, length * factor);
  }

  const isSeen = (time) => time >= start() && time <= end();

  /** Scroll forward when the playhead reaches the end of the view, unless the user is viewing another part. */
  function follow(before) {
    const length = end() - start();
    if (range && isSeen(before) && song.time > end() - 0.02 * length) show(song.time - 0.05 * length, length);
  }

  /** Scroll to the playhead after the user has moved it out of view. */
  function reveal() {
    const length = end() - start();
    if (range && !isSeen(song.time)) show(song.time - 0.05 * length, length);
  }

  function timeAt(clientX) {
    const box = overlay.getBoundingClientRect();
    return start() + ((clientX - box.left) / box.width) * (end() - start());
  }

  /** Return the horizontal position of a time, in pixels from the left edge of the overlay. */
  function place(time) {
    return ((time - start()) / (end() - start())) * overlay.clientWidth;
  }

  /** Describe a moment: its time, its section, its state, and its bar. */
  function wordsAt(time) {
    const { parts } = levels.states;
    const { label, confidence } = parts[levels.states.at(time)];
    const { shown } = levels;
    const bar = bars.numberAt(time);
    const all = [
      words.clock(time),
      shown && shown.parts[shown.at(time)].label,
      confidence === null ? label : `${label} ${words.percent(confidence)}`,
      bar && `bar ${bar}`,
    ];
    return all.filter(Boolean).join("  ");
  }

  /** Draw the ruler and the bar lines of the visible time range, once per screen frame. */
  function drawBars() {
    areBarsDue = false;
    const lines = bars.visible(start(), end(), overlay.clientWidth);
    const wide = lines.filter(({ isLine }) => isLine);
    byId("bar-lines").replaceChildren(...wide.map(({ time }) => mark("bar-line", time)));
    byId("ruler").replaceChildren(
      ...lines.map(({ time, number }) => {
        const element = mark(number ? "bar-number" : "bar-tick", time);
        element.textContent = number || "";
        return element;
      }),
    );
  }

  function mark(className, time) {
    const element = document.createElement("i");
    element.className = className;
    element.style.transform = `translateX(${place(time)}px)`;
    return element;
  }

  let areBarsDue = false;
  function queueBars() {
    if (areBarsDue || !bars.hasAny) return;
    areBarsDue = true;
    requestAnimationFrame(drawBars);
  }

  const [hover, hoverWords] = [byId("hover"), byId("hover-words")];
  tracks.addEventListener("pointermove", ({ clientX, pointerType }) => {
    const time = timeAt(clientX);
    hover.hidden = pointerType !== "mouse" || time < 0 || time > song.duration;
    if (hover.hidden) return;
    hoverWords.textContent = wordsAt(time);
    hover.style.transform = `translateX(${place(time)}px)`;
    hover.classList.toggle("is-left", place(time) > overlay.clientWidth * 0.7);
  });
  tracks.addEventListener("pointerleave", () => {
    hover.hidden = true;
  });

  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-whole").addEventListener("click", () => whole());
  theme.onChange(paint);
  signals.on("parts", bands);
  signals.on("moved", bands);
  signals.on("view", queueBars);
  new ResizeObserver(() => signals.emit("view")).observe(overlay);

  /** Scroll until a part is visible, as far as it fits. */
  function revealPart({ start: from, end: to }) {
    const length = end() - start();
    if (range && (to <= start() || from >= end())) show(from - 0.05 * length, length);
  }

  const whole = () => show(0, song.duration);

  return { draw, start, end, zoom, show, whole, follow, reveal, revealPart, timeAt, place };
})();
