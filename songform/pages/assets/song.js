// All parts are there: draw. An address that ends in #t=62.5 begins at that second.

segments.draw();
editor.drawEdges();
const [, moment] = location.hash.match(/^#t=(\d+(?:\.\d+)?)$/) || [];
if (moment) player.seek(Number(moment), { isChosen: true });
signals.emit("view");
view.draw().then(() => document.documentElement.classList.add("is-drawn"));
