// Numbers as a person reads them.

const words = {
  /** 62.5 as "1:02.5"; from an hour on "1:01:02.5"; as `songform.time_format` writes it. */
  clock(seconds, tenths = true) {
    const count = tenths ? Math.round(seconds * 10) : Math.round(seconds) * 10;
    const minutes = Math.floor(count / 600);
    const rest = (count - minutes * 600) / 10;
    const second = (tenths ? rest.toFixed(1) : String(rest)).padStart(tenths ? 4 : 2, "0");
    if (minutes < 60) return `${minutes}:${second}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${second}`;
  },

  /** 0.62 as "62 %"; what a person decided has no probability. */
  percent(share) {
    return share === null ? "by hand" : `${Math.round(share * 100)} %`;
  },

  counted(count, noun) {
    return `${count} ${noun}${count === 1 ? "" : "s"}`;
  },

  /** A segment in words: for the screen reader. */
  segment({ start, end, label, confidence }) {
    const sure = confidence === null ? "labelled by hand" : `confidence ${Math.round(confidence * 100)} percent`;
    return `${label}, ${words.clock(start, false)} to ${words.clock(end, false)}, ${sure}`;
  },
};
