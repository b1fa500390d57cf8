// Signals between the parts of the page, its data, and the state that all of its scripts share.
//
// "here": the playhead is in another part of a level. "parts": a level was edited. "moved": a boundary is dragged.
// "selected": another part was selected. "shown": the other letters (sections or phrases) are shown. "edited": another
// level is edited. "editing": edit mode on or off. "view": the visible time range changed. "highlighted": other parts
// are marked.

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
  time: 0,
  isEditing: false,
};

const byId = (id) => document.getElementById(id);
