// The player. The playhead follows the audio element. Without audio, the playhead can still be moved by the user.

const player = (() => {
  const audio = byId("audio");
  const button = byId("play");
  const seeker = byId("seek");
  const playhead = byId("playhead");
  let announced = []; // number of the part of each level that was announced last
  let range = null; // part that is played: playback stops at its end, or repeats it
  let isLooping = false;

  function show() {
    playhead.style.transform = `translateX(${view.place(song.time)}px)`;
    seeker.value = song.time;
    byId("now").textContent = words.clock(song.time);
    const here = shownLevels().map((level) => level.at(song.time));
    if (here.some((number, index) => number !== announced[index])) announce(here);
  }

  /** Return the levels of which the parts at the playhead are shown: the states and, if there are any, letters. */
  const shownLevels = () => (levels.shown ? [levels.states, levels.shown] : [levels.states]);

  function announce(here) {
    const shown = shownLevels();
    const changed = shown.filter((_, index) => here[index] !== announced[index]);
    byId("live").textContent = changed.map((level) => words.part(level, level.at(song.time))).join(". ");
    announced = here;
    const [state] = shown.map((level, index) => level.parts[here[index]]);
    const sure = document.createElement("span");
    sure.className = "hint";
    sure.textContent = words.percent(state.confidence);
    byId("state-now").replaceChildren(labels.swatch(state.label, levels.states), state.label, sure);
    const letter = levels.shown ? `, ${words.letter(levels.shown, here[1])}` : "";
    seeker.setAttribute("aria-valuetext", `${words.clock(song.time, false)}, ${state.label}${letter}`);
    signals.emit("here");
  }

  /** During playback, move the playhead once per screen frame. Nothing else is redrawn. */
  function run() {
    if (audio.paused) return;
    advance();
    requestAnimationFrame(run);
  }

  function advance() {
    const before = song.time;
    song.time = Math.min(audio.currentTime, song.duration);
    if (range && song.time >= range.end) {
      finish();
      return;
    }
    view.follow(before);
    show();
  }

  /** At the end of the part that is played, start it again or stop just before its end, so that it stays current. */
  function finish() {
    const { start, end } = range;
    if (isLooping) {
      seek(start);
      return;
    }
    audio.pause();
    range = null;
    seek(Math.max(start, end - 0.01));
  }

  function seek(time, { isChosen = false } = {}) {
    song.time = Math.min(Math.max(0, time), song.duration);
    if (audio) audio.currentTime = Math.min(song.time, audio.duration || song.time);
    view.reveal();
    if (isChosen) range = isLooping ? current() : null;
    show();
    if (isChosen) levels.select();
  }

  /** Return the part with a letter at the playhead. */
  const current = () => levels.shown && levels.shown.parts[levels.shown.at(song.time)];

  function play() {
    if (!audio || button.disabled) return;
    if (song.time >= song.duration - 0.05) seek(0);
    audio.play().catch(() => {}); // the event "error" of the audio element reports the failure
  }

  /** Play one part from its start, and stop at its end unless it is repeated. */
  function playPart(part) {
    seek(part.start, { isChosen: true });
    range = part;
    play();
  }

  function toggle() {
    if (audio && audio.paused) play();
    else if (audio) audio.pause();
  }

  function repeat(isOn) {
    isLooping = isOn;
    range = isOn ? current() : null;
    signals.emit("here");
  }

  function reflect({ type }) {
    const isPlaying = !audio.paused;
    button.classList.toggle("is-playing", isPlaying);
    button.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    if (type === "ended" && range) {
      finish();
      if (isLooping) play();
    } else if (isPlaying) requestAnimationFrame(run);
  }

  function fail() {
    button.disabled = true;
    byId("rate").disabled = true;
    const note = document.createElement("p");
    note.className = "note";
    note.setAttribute("role", "alert");
    const source = audio.getAttribute("src");
    note.textContent = source.startsWith("data:")
      ? "This browser cannot play the song's audio format."
      : `The audio cannot be played: ${decodeURIComponent(source)} must be in the same folder as this page.`;
    document.querySelector(".transport").append(note);
  }

  if (audio) {
    button.disabled = false;
    byId("rate").disabled = false;
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, reflect);
    // In a hidden window there are no screen frames, and a part must still end.
    audio.addEventListener("timeupdate", () => {
      if (document.hidden && !audio.paused) advance();
    });
    audio.addEventListener("error", fail);
    if (audio.error) fail();
    button.addEventListener("click", toggle);
    byId("rate").addEventListener("change", ({ target }) => {
      audio.playbackRate = Number(target.value);
    });
  }
  seeker.addEventListener("input", () => seek(Number(seeker.value), { isChosen: true }));
  signals.on("view", show);
  for (const name of ["parts", "shown"]) {
    signals.on(name, () => {
      announced = [];
      range = isLooping ? current() : null;
      show();
    });
  }

  return {
    seek,
    play,
    playPart,
    toggle,
    repeat,
    get canPlay() {
      return Boolean(audio) && !button.disabled;
    },
    get isLooping() {
      return isLooping;
    },
    /** Move `count` parts of a level forward, or backward if `count` is negative. */
    step(count, level = levels.states) {
      const here = level.at(song.time);
      const isWithin = count < 0 && song.time - level.parts[here].start > 1.5;
      const target = Math.min(Math.max(0, here + count + (isWithin ? 1 : 0)), level.parts.length - 1);
      seek(level.parts[target].start, { isChosen: true });
    },
  };
})();
