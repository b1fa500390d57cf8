// Start of the page: draw everything. If the URL ends in #t=62.5, the playhead moves to that second, also later.

lanes.draw();
ribbon.draw();
edges.draw();
function seekToAddress() {
  const [, moment] = location.hash.match(/^#t=(\d+(?:\.\d+)?)$/) || [];
  if (moment) player.seek(Number(moment), { isChosen: true });
}
seekToAddress();
addEventListener("hashchange", seekToAddress);
signals.emit("view");
view.draw().then(() => document.documentElement.classList.add("is-drawn"));
