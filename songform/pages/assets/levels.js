// Levels of the form: states, sections and phrases. Each divides the song into parts without gaps or overlaps.

/** A level: its parts, the selected part, and what was edited. */
class Level {
  constructor({ name, noun, parts, loudest }) {
    this.name = name;
    this.noun = noun;
    this.parts = parts;
    this.selected = 0;
    this.past = []; // lists of parts, for undo
    this.future = [];
    this.saved = parts;
    this.found = parts;
    this.loudest = loudest;
  }

  /** Whether its labels are letters, which say what returns. */
  get hasLetters() {
    return this.name !== "states";
  }

  get isUnsaved() {
    return this.parts !== this.saved;
  }

  /** Return the number of the part at a time. */
  at(time) {
    let low = 0;
    let high = this.parts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.parts[middle].start <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Return which part of its label a part is ("2 of 3"), and what else is true of it, like `form_levels.py`. */
  facts(number) {
    if (this.described !== this.parts) {
      this.described = this.parts;
      this.about = described(this.parts, isSameDivision(this.parts, this.found) ? this.loudest : null);
    }
    return this.about[number];
  }

  /** Return the labels that are offered in edit mode: the known ones and, for letters, the next unused letter. */
  choices() {
    if (!this.hasLetters) return data.states.map(({ name }) => name);
    const used = [...new Set(this.parts.map(({ label }) => label))];
    return [...used, nextLetter(used, this.name === "phrases")];
  }
}

function described(parts, loudest) {
  const counts = new Map();
  const orders = parts.map(({ label }) => {
    counts.set(label, (counts.get(label) || 0) + 1);
    return counts.get(label);
  });
  const most = Math.max(2, ...counts.values());
  return parts.map(({ label }, number) => {
    const facts = {
      first: number === 0,
      last: number === parts.length - 1,
      "most repeated": counts.get(label) === most,
      loudest: number === loudest,
    };
    return {
      occurrence: `${orders[number]} of ${counts.get(label)}`,
      words: Object.keys(facts).filter((fact) => facts[fact]).join(", "),
    };
  });
}

/** Tell whether the boundaries are those that songform found; which part is the loudest is known only for these. */
function isSameDivision(parts, found) {
  return parts.length === found.length && parts.every(({ start }, number) => start === found[number].start);
}

/** Return the first letter that is not used: A to Z, then A1 to Z1, and so on. */
function nextLetter(used, isSmall) {
  for (let number = 0; ; number += 1) {
    const letter = String.fromCharCode((isSmall ? 97 : 65) + (number % 26));
    const label = number >= 26 ? `${letter}${Math.floor(number / 26)}` : letter;
    if (!used.includes(label)) return label;
  }
}

/**
 * Draw an element per part, in order. If the number of parts is the same as before, only the elements whose part or
 * facts changed are replaced, so that editing a song of many parts stays fast.
 */
function drawParts(container, level, make) {
  const drawn = level.parts.map((part, number) => ({ part, facts: level.hasLetters ? level.facts(number) : null }));
  const before = container.drawn;
  container.drawn = drawn;
  if (before?.length !== drawn.length || container.children.length !== drawn.length) {
    container.replaceChildren(...drawn.map((_, number) => make(number)));
    return;
  }
  drawn.forEach((now, number) => {
    if (!isDrawn(now, before[number])) container.children[number].replaceWith(make(number));
  });
}

function isDrawn({ part, facts }, before) {
  return part === before.part && facts?.occurrence === before.facts?.occurrence && facts?.words === before.facts?.words;
}

/** Tell screen readers whether an element is the part at the playhead. */
function markCurrent(element, isCurrent) {
  if (isCurrent) element.setAttribute("aria-current", "true");
  else element.removeAttribute("aria-current");
}

const levels = (() => {
  const all = data.levels.map((level) => new Level(level));
  const named = (name) => all.find((level) => level.name === name);
  const states = named("states");
  return {
    all,
    named,
    states,
    /** Levels with letters, of which one is shown; empty if the song has no sections. */
    withLetters: all.filter((level) => level.hasLetters),
    shown: named("sections") || null,
    edited: states,
    /** Level and label whose parts are marked, or null. */
    highlighted: null,

    show(level) {
      if (levels.shown === level) return;
      levels.shown = level;
      signals.emit("shown");
    },

    edit(level) {
      levels.edited = level;
      if (level.hasLetters) levels.show(level);
      signals.emit("edited");
    },

    highlight(level, label) {
      levels.highlighted = level ? { level, label } : null;
      signals.emit("highlighted");
    },

    /** Tell whether a part has the marked label. While a level is edited, an element may have no part anymore. */
    isHighlighted: (level, part) => levels.highlighted?.level === level && levels.highlighted.label === part?.label,

    /** Select the parts at the playhead on all levels. */
    select() {
      for (const level of all) level.selected = level.at(song.time);
      signals.emit("selected");
    },
  };
})();
