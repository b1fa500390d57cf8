// Edits: from segments to other segments, which still have no gap and no overlap. Nothing here touches the page.

const edits = (() => {
  const LEAST_SECONDS = 0.1;
  const rounded = (time) => Math.round(time * 1000) / 1000;

  return {
    /** Move the boundary before a segment, as far as its neighbours leave room. */
    moved(list, number, time) {
      const [before, after] = [list[number - 1], list[number]];
      const room = Math.min(LEAST_SECONDS, (after.end - before.start) / 2);
      const cut = rounded(Math.min(Math.max(time, before.start + room), after.end - room));
      if (cut === after.start) return list;
      return list.with(number - 1, { ...before, end: cut }).with(number, { ...after, start: cut });
    },

    /** Cut the segment in which a moment lies in two; null if a piece would be too short. */
    split(list, number, time) {
      const whole = list[number];
      const cut = rounded(time);
      if (cut - whole.start < LEAST_SECONDS || whole.end - cut < LEAST_SECONDS) return null;
      return list.toSpliced(number, 1, { ...whole, end: cut }, { ...whole, start: cut });
    },

    /** Join a segment with the one after it; the first one's label holds. */
    merged(list, number, label) {
      const [first, second] = [list[number], list[number + 1]];
      const confidence = first.label === second.label ? weighed(first, second) : null;
      return list.toSpliced(number, 2, { start: first.start, end: second.end, label, confidence });
    },

    /** Give a segment a label; a person is not asked how sure they are. */
    labelled(list, number, label) {
      const clean = edits.plain(label);
      if (!clean || clean === list[number].label) return list;
      return list.with(number, { ...list[number], label: clean, confidence: null });
    },

    /** A label as every format can hold it: one line, no tabs. */
    plain(label) {
      return label.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").replace(/\s+/g, " ").trim().slice(0, 80);
    },
  };

  function weighed(first, second) {
    if (first.confidence === null || second.confidence === null) return null;
    const [one, other] = [first, second].map(({ start, end }) => end - start);
    return (first.confidence * one + second.confidence * other) / (one + other);
  }
})();
