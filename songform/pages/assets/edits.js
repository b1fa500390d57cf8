// Edits of a list of parts (segments, sections or phrases) without gaps or overlaps. The functions
// return a new list and do not access the page.

const edits = (() => {
  const MIN_SECONDS = 0.1;
  const rounded = (time) => Math.round(time * 1000) / 1000;

  return {
    /** Return the earliest and the latest time of the boundary before a part; both parts keep a minimum length. */
    bounds(list, number) {
      const [before, after] = [list[number - 1], list[number]];
      const room = Math.min(MIN_SECONDS, (after.end - before.start) / 2);
      return [before.start + room, after.end - room];
    },

    /** Move the boundary before a part, within its bounds. */
    moved(list, number, time) {
      const [before, after] = [list[number - 1], list[number]];
      const [low, high] = edits.bounds(list, number);
      const cut = rounded(Math.min(Math.max(time, low), high));
      if (cut === after.start) return list;
      return list.with(number - 1, { ...before, end: cut }).with(number, { ...after, start: cut });
    },

    /** Split a part at a time. Return null if one of the parts would be too short. */
    split(list, number, time) {
      const whole = list[number];
      const cut = rounded(time);
      if (cut - whole.start < MIN_SECONDS || whole.end - cut < MIN_SECONDS) return null;
      return list.toSpliced(number, 1, { ...whole, end: cut }, { ...whole, start: cut });
    },

    /** Merge a part with the next one, under the given label. */
    merged(list, number, label) {
      const [first, second] = [list[number], list[number + 1]];
      const confidence = first.label === second.label ? weightedMean(first, second) : null;
      return list.toSpliced(number, 2, { start: first.start, end: second.end, label, confidence });
    },

    /** Set the label of a part. A label that was set by hand has no confidence. */
    labelled(list, number, label) {
      const clean = edits.plain(label);
      if (!clean || clean === list[number].label) return list;
      return list.with(number, { ...list[number], label: clean, confidence: null });
    },

    /** Clean a label so that every file format supports it: one line, no tabs, at most 80 characters. */
    plain(label) {
      return label.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").replace(/\s+/g, " ").trim().slice(0, 80);
    },
  };

  function weightedMean(first, second) {
    if (first.confidence === null || second.confidence === null) return null;
    const [one, other] = [first, second].map(({ start, end }) => end - start);
    return (first.confidence * one + second.confidence * other) / (one + other);
  }
})();
