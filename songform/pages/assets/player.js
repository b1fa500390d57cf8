// The player. The playhead follows the audio element. Without audio, the playhead can still be moved by the user.

const player = (() => {
  const audio = byId("audio");
  const button = byId("play");
  const seeker = byId("seek");
  const playhead = byId("playhead");
  let announced = -1; // number of the segment that was announced last

  function show() {
    playhead.style.transform = `translateX(${view.place(song.time)}px)`;
    seeker.value = song.time;
    byId("now").textContent = words.clock(song.time);
    const number = song.at(song.time);
    if (number !== announced) announce(number);
  }

  function announce(number) {
    const segment = song.segments[number];
    announced = number;
    const now = byId("state-now");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    labels.dress(swatch, segment.label);
    const sure = document.createElement("span");
    sure.className = "hint";
    sure.textContent = words.percent(segment.confidence);
    now.replaceChildren(swatch, segment.label, sure);
    byId("live").textContent = words.segment(segment);
    seeker.setAttribute("aria-valuetext", `${words.clock(song.time, false)}, ${segment.label}`);
    signals.emit("segment");
  }

  /** During playback, move the playhead once per screen frame. Nothing else is redrawn. */
  function run() {
    if (audio.paused) return;
    const before = song.time;
    song.time = Math.min(audio.currentTime, song.duration);
    view.follow(before);
    show();
    requestAnimationFrame(run);
  }

  function seek(time, { isChosen = false } = {}) {
    song.time = Math.min(Math.max(0, time), song.duration);
    if (audio) audio.currentTime = Math.min(song.time, audio.duration || song.time);
    if (isChosen) song.selected = song.at(song.time);
    view.reveal();
    show();
    if (isChosen) signals.emit("selected");
  }

  function play() {
    if (!audio || button.disabled) return;
    if (song.time >= song.duration - 0.05) seek(0);
    audio.play().catch(() => {}); // the event "error" of the audio element reports the failure
  }

  function toggle() {
    if (audio && audio.paused) play();
    else if (audio) audio.pause();
  }

  function reflect() {
    const isPlaying = !audio.paused;
    button.classList.toggle("is-playing", isPlaying);
    button.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
    if (isPlaying) requestAnimationFrame(run);
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
    audio.addEventListener("error", fail);
    if (audio.error) fail();
    button.addEventListener("click", toggle);
    byId("rate").addEventListener("change", ({ target }) => {
      audio.playbackRate = Number(target.value);
    });
  }
  seeker.addEventListener("input", () => seek(Number(seeker.value), { isChosen: true }));
  signals.on("view", show);
  signals.on("segments", () => {
    announced = -1;
    show();
  });

  return {
    seek,
    play,
    toggle,
    /** Move `count` segments forward, or backward if `count` is negative. */
    step(count) {
      const here = song.at(song.time);
      const isWithin = count < 0 && song.time - song.segments[here].start > 1.5;
      const target = Math.min(Math.max(0, here + count + (isWithin ? 1 : 0)), song.segments.length - 1);
      seek(song.segments[target].start, { isChosen: true });
    },
  };
})();
