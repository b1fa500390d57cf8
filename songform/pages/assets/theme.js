// Light and dark theme. The page follows the system's theme until the user chooses one. Canvases do not follow CSS, so
// code that draws on them registers with onChange.

const theme = (() => {
  const root = document.documentElement;
  const button = document.getElementById("theme-button");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const followers = [];

  function isDark() {
    return (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  }

  function remembered() {
    try {
      return localStorage.getItem("songform-theme");
    } catch {
      return null; // browsers may deny storage to pages that were opened from a disk
    }
  }

  function choose(name) {
    root.dataset.theme = name;
    try {
      localStorage.setItem("songform-theme", name);
    } catch {
      // without storage, the choice is valid until the page is closed
    }
    applyTheme();
  }

  function applyTheme() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
    followers.forEach((follower) => follower());
  }

  const before = remembered();
  if (before === "light" || before === "dark") root.dataset.theme = before;
  button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  system.addEventListener("change", applyTheme);
  applyTheme();

  return {
    isDark,
    onChange(follower) {
      followers.push(follower);
    },
    /** Return the current value of a CSS color property in a form that a canvas accepts. */
    color(name) {
      const probe = document.createElement("i");
      probe.style.color = `var(${name})`;
      document.body.append(probe);
      const { color } = getComputedStyle(probe);
      probe.remove();
      return color;
    },
  };
})();
