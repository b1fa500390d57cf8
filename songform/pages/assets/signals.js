// Signals between the parts of the page, and the state that they share.
//
// "segment": the playhead is in another segment. "segments": segments were edited. "moved": a boundary is dragged.
// "selected": another segment was selected. "view": the visible time range changed. "editing": edit mode on or off.

const signals = (() => {
  const listeners = new Map();
  return {
    on(name, listener) {
      listeners.set(name, [...(listeners.get(name) || []), listener]);
    },
    emit(name) {
      (listeners.get(name) || []).forEach((listener) => listener());
    },
  };
})();

const data = JSON.parse(document.getElementById("song-data").textContent);

/** Current state of the page. Times are in seconds. */
const song = {
  key: data.key,
  title: data.title,
  duration: data.duration,
  segments: data.segments,
  selected: 0,
  time: 0,
  isEditing: false,

  /** Return the number of the segment at a time. */
  at(time) {
    let low = 0;
    let high = song.segments.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (song.segments[middle].start <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  },
};

const byId = (id) => document.getElementById(id);
