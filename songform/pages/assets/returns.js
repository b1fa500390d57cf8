// What is true of a section or phrase: all parts with its letter are marked while it is pointed at or has the focus, in
// their lane, over the curves and in the table, and a line above the lanes describes it. Buttons play it, repeat it,
// and switch between sections and phrases.

const returns = (() => {
  const panel = byId("letters");
  if (!panel) return { play() {}, loop() {}, switchLetters() {} };
  let pointed = null; // level and number of the part that is pointed at or has the focus

  function describe() {
    const level = pointed ? pointed.level : levels.shown;
    const number = pointed ? pointed.number : level.at(song.time);
    const part = level.parts[number];
    if (!part) return;
    const name = document.createElement("strong");
    name.append(labels.swatch(part.label, level), words.letter(level, number));
    const times = `${words.clock(part.start)} to ${words.clock(part.end)} (${lengths(part)})`;
    const facts = [times, level.facts(number).words].filter(Boolean).map((text) => {
      const element = document.createElement("span");
      element.textContent = text;
      return element;
    });
    byId("letter-words").replaceChildren(name, ...facts);
  }

  function lengths({ start, end }) {
    const count = bars.between(start, end);
    return count ? `${words.clock(end - start)}, ${words.counted(count, "bar")}` : words.clock(end - start);
  }

  function point(level, element) {
    const number = element ? Number(element.dataset.row) : null;
    if (pointed?.level === level && pointed?.number === number) return;
    pointed = element ? { level, number } : null;
    highlight(element && level, element && level.parts[number]?.label);
    describe();
  }

  /** Mark all parts with a label, also as bands over the curves. */
  function highlight(level, label) {
    const { highlighted } = levels;
    const isSame = level ? highlighted?.level === level && highlighted.label === label : !highlighted;
    if (isSame) return;
    levels.highlight(level, label);
    const parts = level ? level.parts.filter((part) => part.label === label) : [];
    byId("highlighted-parts").replaceChildren(
      ...parts.map(({ start, end }) => {
        const element = document.createElement("i");
        element.style.left = `${(start / song.duration) * 100}%`;
        element.style.width = `${((end - start) / song.duration) * 100}%`;
        return element;
      }),
    );
  }

  const boxes = (level) => [byId(`lane-${level.name}`), byId(`rows-${level.name}`)];

  /** When the pointer leaves, mark what has the focus, which may be in another lane or table. */
  function release() {
    const { activeElement } = document;
    const isFocused = (level) => boxes(level).some((box) => box.contains(activeElement));
    const level = activeElement?.matches(":focus-visible") ? levels.withLetters.find(isFocused) : null;
    point(level, level ? activeElement.closest("[data-row]") : null);
  }

  function listen(level, box) {
    const over = ({ target }) => {
      const element = target.closest("[data-row]");
      if (element) point(level, element);
    };
    box.addEventListener("pointerover", over);
    box.addEventListener("focusin", over);
    box.addEventListener("pointerleave", release);
    box.addEventListener("focusout", () => point(level, null));
  }

  function play() {
    const level = levels.shown;
    player.playPart(level.parts[pointed?.level === level ? pointed.number : level.at(song.time)]);
  }

  function reflect() {
    const { noun } = levels.shown;
    byId("letter-play-noun").textContent = noun;
    byId("letter-actions").setAttribute("aria-label", words.capitalized(noun));
    for (const level of levels.withLetters) {
      byId(`show-${level.name}`).setAttribute("aria-pressed", String(level === levels.shown));
    }
    byId("letter-loop").setAttribute("aria-pressed", String(player.isLooping));
    byId("letter-play").disabled = !player.canPlay;
    byId("letter-loop").disabled = !player.canPlay;
    describe();
  }

  function loop() {
    if (!player.canPlay) return;
    player.repeat(!player.isLooping);
    reflect();
  }

  function show(level) {
    pointed = null;
    highlight(null);
    // The edited level stays visible.
    if (song.isEditing && levels.edited.hasLetters) levels.edit(level);
    else levels.show(level);
  }

  for (const level of levels.withLetters) {
    boxes(level).forEach((box) => listen(level, box));
    byId(`show-${level.name}`).addEventListener("click", () => show(level));
  }
  byId("letter-play").addEventListener("click", play);
  byId("letter-loop").addEventListener("click", loop);
  for (const name of ["here", "shown", "selected"]) signals.on(name, reflect);
  signals.on("parts", () => {
    pointed = null;
    highlight(null);
    reflect();
  });
  byId("audio")?.addEventListener("error", reflect);

  return {
    play,
    loop,
    switchLetters: () => show(levels.withLetters.find((level) => level !== levels.shown) || levels.shown),
  };
})();
