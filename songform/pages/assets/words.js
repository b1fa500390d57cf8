// Formatting of times, shares and parts as text.

const words = {
  /** Format 62.5 as "1:02.5", and times of an hour or more as "1:01:02.5", like `songform.time_format`. */
  clock(seconds, tenths = true) {
    const count = tenths ? Math.round(seconds * 10) : Math.round(seconds) * 10;
    const minutes = Math.floor(count / 600);
    const rest = (count - minutes * 600) / 10;
    const second = (tenths ? rest.toFixed(1) : String(rest)).padStart(tenths ? 4 : 2, "0");
    if (minutes < 60) return `${minutes}:${second}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${second}`;
  },

  /** Format 0.62 as "62 %". Labels that were set by hand have no probability. */
  percent(share) {
    return share === null ? "by hand" : `${Math.round(share * 100)} %`;
  },

  counted(count, noun) {
    return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  },

  capitalized: (text) => text[0].toUpperCase() + text.slice(1),

  /** Describe a part of a level for screen readers: "Calm, 0:00 to 0:10, ..." or "Section A, 2 of 3, 0:31 to 1:02". */
  part(level, number) {
    const { start, end, label, confidence } = level.parts[number];
    const times = `${words.clock(start, false)} to ${words.clock(end, false)}`;
    if (level.hasLetters) return `${words.letter(level, number)}, ${times}`;
    const sure = confidence === null ? "labeled by hand" : `confidence ${Math.round(confidence * 100)} percent`;
    return `${label}, ${times}, ${sure}`;
  },

  /** Name a part with a letter: "Section A, 2 of 3". */
  letter(level, number) {
    return `${words.capitalized(level.noun)} ${level.parts[number].label}, ${level.facts(number).occurrence}`;
  },
};
