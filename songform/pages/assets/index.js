// The index page: searches, sorts and filters the songs, and shows forty of them at a time.

const byId = (id) => document.getElementById(id);
const CHUNK = 40;
const REST = 200; // milliseconds without a change before the address is written

let inOrder = songs;
let found = songs;
let shown = 0;
let waiting = 0;

function more() {
  byId("songs").append(...found.slice(shown, shown + CHUNK).map((song) => row(song, sortedState())));
  shown = Math.min(shown + CHUNK, found.length);
  byId("more").hidden = shown >= found.length;
  byId("more").textContent = `Show more (${(found.length - shown).toLocaleString("en")} remaining)`;
}

/** Show more songs while the end of the list is near the visible part of the page. */
function extend(entries, observer) {
  if (!entries.at(-1).isIntersecting || byId("more").hidden) return;
  more();
  writeSoon();
  observer.unobserve(byId("more")); // observed anew, it is reported again even if it is still near
  observer.observe(byId("more"));
}

function list() {
  found = inOrder.filter(filter());
  shown = 0;
  byId("songs").replaceChildren();
  more();
  const [some, all] = [found.length, songs.length].map((count) => count.toLocaleString("en"));
  byId("found").textContent = some === all ? words.counted(songs.length, "song") : `${some} of ${all} songs`;
  byId("nothing").hidden = found.length > 0;
  byId("clear").hidden = !isFiltered();
  byId("share").disabled = !query.state;
}

/** Show in the header of the table by which column it is sorted. */
function heads() {
  const state = sortedState();
  const column = state >= 0 ? "share" : query.sort;
  byId("list").dataset.by = column;
  for (const head of document.querySelectorAll("[data-sort]")) {
    if (head.dataset.sort === column) head.setAttribute("aria-sort", query.order);
    else head.removeAttribute("aria-sort");
  }
  document.querySelector("th.share").hidden = state < 0;
  if (state >= 0) byId("share-name").textContent = states[state].name;
  byId("direction").textContent = isDown() ? "↓ Descending" : "↑ Ascending";
  byId("direction").setAttribute("aria-label", `Reverse the order (now ${query.order})`);
}

function fields() {
  for (const name of ["search", "sort", "state", "share", "from", "to"]) byId(name).value = query[name];
}

function write() {
  clearTimeout(waiting);
  waiting = 0;
  writeAddress(shown);
}

function writeSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(write, REST);
}

function change(changes) {
  Object.assign(query, changes);
  if ("sort" in changes || "order" in changes) {
    inOrder = ordered();
    heads();
    fields();
  }
  list();
  writeSoon();
}

/** Show what the address asks for, with as many songs as were displayed before. */
function restore() {
  readAddress();
  fields();
  inOrder = ordered();
  heads();
  list();
  while (shown < Math.min(history.state?.shown ?? 0, found.length)) more();
}

const sort = (name, order) => change({ sort: name, order });
const reverse = () => sort(query.sort, isDown() ? "ascending" : "descending");

byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("sort").addEventListener("change", ({ target }) => {
  sort(target.value, target.value.startsWith(SHARE) ? "descending" : "ascending");
});
byId("direction").addEventListener("click", reverse);
for (const name of ["search", "state", "share", "from", "to"]) {
  byId(name).addEventListener("input", ({ target }) => change({ [name]: target.value }));
}
byId("clear").addEventListener("click", () => {
  change({ search: "", state: "", from: "", to: "" });
  fields();
  byId("search").focus();
});
byId("more").addEventListener("click", () => {
  more();
  writeSoon();
});
for (const head of document.querySelectorAll("[data-sort]")) {
  head.querySelector("button").addEventListener("click", () => {
    const name = head.dataset.sort;
    if (name === "share" || name === query.sort) reverse();
    else sort(name, "ascending");
  });
}
addEventListener("keydown", (event) => {
  const isChord = event.ctrlKey || event.metaKey || event.altKey;
  if (event.key !== "/" || event.target.matches("input, select") || isChord) return;
  event.preventDefault();
  byId("search").focus();
});
addEventListener("click", () => waiting && write(), { capture: true }); // a link may be about to open a song
addEventListener("hashchange", () => (location.hash.includes("=") || !location.hash) && restore());
new IntersectionObserver(extend, { rootMargin: "600px" }).observe(byId("more"));
restore();
