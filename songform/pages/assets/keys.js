// Keyboard shortcuts. Single-character shortcuts can be disabled, because speech input may trigger them by accident.

(() => {
  const dialog = byId("keys");
  const editing = {
    s: () => editor.split(),
    m: () => editor.merge(1),
    M: () => editor.merge(-1),
  };
  const characters = {
    j: () => player.step(1),
    k: () => player.step(-1),
    J: () => levels.shown && player.step(1, levels.shown),
    K: () => levels.shown && player.step(-1, levels.shown),
    p: () => returns.play(),
    l: () => returns.loop(),
    v: () => returns.switchLetters(),
    e: () => editor.toggle(),
    "+": () => view.zoom(0.5),
    "=": () => view.zoom(0.5),
    "-": () => view.zoom(2),
    0: () => view.whole(),
    "?": () => dialog.showModal(),
  };

  function named(event) {
    const step = event.shiftKey ? 1 : 5;
    return {
      ArrowLeft: () => player.seek(song.time - step, { isChosen: true }),
      ArrowRight: () => player.seek(song.time + step, { isChosen: true }),
      Home: () => player.seek(0, { isChosen: true }),
      End: () => player.seek(song.duration, { isChosen: true }),
      " ": () => player.toggle(),
    }[event.key];
  }

  function character({ key }) {
    if (!byId("keys-on").checked) return undefined;
    if (song.isEditing && key >= "1" && key <= "9") return () => editor.choose(Number(key) - 1);
    return (song.isEditing && editing[key]) || characters[key];
  }

  function chord(event) {
    const key = event.key.toLowerCase();
    if (!song.isEditing || event.altKey) return undefined;
    if (key === "z") return event.shiftKey ? editor.redo : editor.undo;
    return key === "y" ? editor.redo : undefined;
  }

  function actionOf(event) {
    if (event.ctrlKey || event.metaKey) return chord(event);
    return event.altKey ? undefined : named(event) || character(event);
  }

  addEventListener("keydown", (event) => {
    const { target } = event;
    const isTyping = target.matches("input:not([type=range], [type=checkbox]), select, textarea");
    if (event.defaultPrevented || isTyping || dialog.open || event.isComposing) return;
    if (event.key === " " && target.matches("button, a, input[type=checkbox]")) return;
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    action();
  });
  byId("keys-button").addEventListener("click", () => dialog.showModal());
})();
