// Colors of labels: those of the states and of silence, and for other labels the same colors as in songform's pictures.

const labels = (() => {
  const known = new Map([data.silence, ...data.states].map((state) => [state.name, state]));

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

  /** Return the color of a label, and of text on it, in both themes. */
  function tone(label) {
    if (!known.has(label)) {
      const number = crc32(label);
      const color = hex(number % 360, 0.4 + (Math.floor(number / 360) % 3) / 10, 0.45);
      const ink = luminance(color) > 0.179 ? "#000000" : "#ffffff"; // at 0.179 both inks have the same contrast
      known.set(label, { light: color, light_ink: ink, dark: color, dark_ink: ink });
    }
    return known.get(label);
  }

  return {
    color: (label) => tone(label)[theme.isDark() ? "dark" : "light"],
    /** Apply the colors of a label to an element and its children. */
    dress(element, label) {
      const { light, light_ink: lightInk, dark, dark_ink: darkInk } = tone(label);
      element.style.setProperty("--tone", `light-dark(${light}, ${dark})`);
      element.style.setProperty("--on-tone", `light-dark(${lightInk}, ${darkInk})`);
    },
  };
})();
