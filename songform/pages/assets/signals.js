// Who has to know what: the parts of the page hear of changes here and know nothing of each other.
//
// "time": the playhead moved. "segments": they changed. "moved": a boundary moves under a finger.
// "selected": another segment is selected. "view": another stretch of time is seen. "editing": on or off.

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

/** What the page is about, in one place. Times are seconds. */
const song = {
  key: data.key,
  title: data.title,
  duration: data.duration,
  segments: data.segments,
  selected: 0,
  time: 0,
  isEditing: false,

  /** The number of the segment in which a moment lies. */
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
