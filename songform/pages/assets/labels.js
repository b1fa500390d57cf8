// Colors of labels: those of the states, of silence and of letters, and for other labels the same colors as in
// songform's pictures (`songform/plots/palette.py`).

const labels = (() => {
  const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
  const known = {
    states: new Map([data.silence, ...data.states].map((state) => [state.name, state])),
    letters: new Map(data.letters.map((letter) => [letter.name, letter])),
  };

  function crc32(text) {
    let crc = -1;
    for (const byte of new TextEncoder().encode(text)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
  }

  function hex(hue, lightness, saturation) {
    const reach = saturation * Math.min(lightness, 1 - lightness);
    const part = (n) => {
      const k = (n + hue / 30) % 12;
      return lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    };
    return `#${[0, 8, 4].map((n) => Math.round(255 * part(n)).toString(16).padStart(2, "0")).join("")}`;
  }

  function luminance(color) {
    const parts = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16) / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function stateColor(label) {
    const digest = crc32(label);
    return hex(digest % 360, 0.4 + (Math.floor(digest / 360) % 3) / 10, 0.45);
  }

  /** Return the color of a letter that is not in the palette, or of another label of a section. */
  function letterColor(label) {
    const [, letter, count] = label.match(/^([A-Z])([0-9]{0,4})$/) || [];
    if (!letter) {
      const digest = crc32(label);
      return hex(digest % 360, 0.74 + (Math.floor(digest / 360) % 3) / 14, 0.5);
    }
    const number = letter.charCodeAt(0) - 65 + 26 * Number(count);
    return hex(360 * ((number * GOLDEN_RATIO) % 1), 0.74 + (number % 3) / 14, 0.5);
  }

  /** Return the color of a label, and of text on it, in both themes. Phrases have the colors of sections. */
  function tone(label, level) {
    const tones = level.hasLetters ? known.letters : known.states;
    const name = level.hasLetters && /^[a-z][0-9]{0,4}$/.test(label) ? label.toUpperCase() : label;
    if (!tones.has(name)) {
      const color = level.hasLetters ? letterColor(name) : stateColor(name);
      const ink = luminance(color) > 0.179 ? "#000000" : "#ffffff"; // at 0.179 both inks have the same contrast
      tones.set(name, { light: color, light_ink: ink, dark: color, dark_ink: ink });
    }
    return tones.get(name);
  }

  return {
    color: (label, level) => tone(label, level)[theme.isDark() ? "dark" : "light"],
    /** Apply the colors of a label of a level to an element and its children. */
    applyColors(element, label, level) {
      const { light, light_ink: lightInk, dark, dark_ink: darkInk } = tone(label, level);
      element.style.setProperty("--tone", `light-dark(${light}, ${dark})`);
      element.style.setProperty("--on-tone", `light-dark(${lightInk}, ${darkInk})`);
    },
    /** Return a small square in the color of a label. */
    swatch(label, level) {
      const element = document.createElement("span");
      element.className = "swatch";
      labels.applyColors(element, label, level);
      return element;
    },
  };
})();
