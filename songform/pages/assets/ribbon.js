// The ribbon in the player: the states of the whole song, and the part of it that the curves show.

const ribbon = (() => {
  const percent = (time) => `${(time / song.duration) * 100}%`;

  function draw() {
    const stops = levels.states.parts.map(
      ({ start, end, label }) => `${labels.color(label, levels.states)} ${percent(start)} ${percent(end)}`,
    );
    byId("ribbon-colors").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  }

  function frame() {
    const box = byId("ribbon-view");
    box.hidden = view.end() - view.start() > song.duration * 0.999;
    box.style.left = percent(view.start());
    box.style.width = percent(view.end() - view.start());
  }

  signals.on("view", frame);
  for (const name of ["parts", "moved"]) signals.on(name, draw);
  theme.onChange(draw);

  return { draw };
})();
