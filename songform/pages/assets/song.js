// Start of the page: draw everything. A URL that ends in #t=62.5 starts at that second.

lanes.draw();
ribbon.draw();
edges.draw();
const [, moment] = location.hash.match(/^#t=(\d+(?:\.\d+)?)$/) || [];
if (moment) player.seek(Number(moment), { isChosen: true });
signals.emit("view");
view.draw().then(() => document.documentElement.classList.add("is-drawn"));
