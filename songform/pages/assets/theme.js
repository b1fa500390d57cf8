// Light or dark: as the system has it, until the person chooses. What is drawn on a canvas is told of a change.

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
      return null; // a browser may forbid it to a page from a disk
    }
  }

  function choose(name) {
    root.dataset.theme = name;
    try {
      localStorage.setItem("songform-theme", name);
    } catch {
      // then it holds for this page alone
    }
    tell();
  }

  function tell() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
    followers.forEach((follower) => follower());
  }

  const before = remembered();
  if (before === "light" || before === "dark") root.dataset.theme = before;
  button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  system.addEventListener("change", tell);
  tell();

  return {
    isDark,
    onChange(follower) {
      followers.push(follower);
    },
    /** The colour that a custom property has now, as a canvas reads it. */
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
